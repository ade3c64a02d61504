"""A recipe: everything that decides what a training run makes, in one TOML file that is kept beside what it made."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from lfm2_colbert.config import from_mapping
from lfm2_colbert.errors import InvalidConfigError, NotFoundError


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What is learned from.

    Attributes:
        pairs: folder of ``<source>/<language>.jsonl`` with ``query`` and ``positive``; empty: none.
        documents: folder of plain texts, whose first sentences ask for the rest; empty: none.
        query_sources: of questions without a passage, in the same folder: their tokens are learned.
        parallel: folder of ``<source>.<language>-<language>.tsv``; empty: none.
        sources: of pairs; each file ``<source>/*.jsonl`` is read.
        parallel_sources: of parallel texts.
        languages: that texts are taken of, by the names of files; empty: all.
        exponent: a language with n texts is drawn in proportion to ``n ** exponent``.
        curriculum: whether an epoch goes from easy pairs to hard ones, by the rank that the teacher gives their own
            document (`curriculum.py`).
        pairs_taken: at most, over all languages.
        queries_taken: the same of questions without a passage.
        cloze_taken: passages of the pairs, at most, whose first sentence asks for the rest (inverse cloze).
        parallel_taken: at most, over all pairs of languages.
        lists: folder of queries with scored candidates (`lists.py`); empty: none.
        list_size: candidates of a list that are learned from; lists that have fewer are left out.
        held_out: folder of evaluation sets whose queries and answers must not be learned from; empty: none.
        development: folder of evaluation sets that the curve shows nDCG@10 on; empty: none.
    """

    pairs: str = ""
    sources: tuple[str, ...] = ()
    query_sources: tuple[str, ...] = ()
    documents: str = ""
    parallel: str = ""
    parallel_sources: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    exponent: float = 0.5
    curriculum: bool = False
    pairs_taken: int = 40_000
    queries_taken: int = 40_000
    cloze_taken: int = 0
    parallel_taken: int = 40_000
    lists: str = ""
    list_size: int = 8
    held_out: str = ""
    development: str = ""


@dataclass(frozen=True, slots=True)
class LossConfig:
    """What is minimised: a weighed sum; a weight of 0 leaves a part out.

    Attributes:
        token: of the distance to the teacher's token vectors, queries .4 and documents .6 of it.
        ranking: of the divergence from the teacher's scores within a batch.
        contrastive: of telling the pair's own document from the others of the batch.
        lists: of the divergence from the scores of a list's candidates.
        margins: of the squared differences of a list's margins, its best candidate against the others.
        alignment: of telling a translation from the others of the batch, asked in either language.
        ranking_from: share of the tokens after which all but the token loss begin.
        dims: widths at which the beginnings of vectors are learned too (Matryoshka); empty: none.
        student_scale: by which mean-MaxSim becomes a logit.
        teacher_maxsim_scale: the same for the teacher's.
        teacher_dense_scale: for the cosine of the teacher's text vectors.
        list_scale: for the scores of a list, which are brought to mean 0 and deviation 1 before.
        top_k: documents of the decoupled loss; 0: plain divergence over all.
        top_k_temperature: of its conditional part.
    """

    token: float = 1.0
    ranking: float = 0.1
    contrastive: float = 0.01
    lists: float = 0.1
    margins: float = 0.0
    alignment: float = 0.0
    dims: tuple[int, ...] = ()
    ranking_from: float = 0.0
    student_scale: float = 45.0
    teacher_maxsim_scale: float = 20.0
    teacher_dense_scale: float = 25.0
    list_scale: float = 2.0
    top_k: int = 0
    top_k_temperature: float = 1.0


@dataclass(frozen=True, slots=True)
class LateConfig:
    """What is minimised in a run's last part, in place of `Recipe.loss`: scores weigh more once tokens are learned.

    Attributes:
        begins: share of the tokens after which it is.
        loss: what is minimised then, whole: nothing is taken over from the other.
    """

    begins: float
    loss: LossConfig

    def __post_init__(self) -> None:
        """Refuse a part that is all, or nothing.

        Raises:
            InvalidConfigError: `begins` is not between 0 and 1.
        """
        if not 0 < self.begins < 1:
            raise InvalidConfigError(
                f"[late] begins at {self.begins:g} of the tokens", help="give a share between 0 and 1"
            )


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """How it is minimised.

    Attributes:
        tokens: to see in all, by all processes.
        tokens_per_step: of one process.
        processes: that share the work, one thread each.
        chunk: pairs of a step that are encoded at once, so that a large batch fits in memory (GradCache,
            `gradients.py`); the gradients are the same, for a second forward pass. 0: all.
        matrix_rate: learning rate of Muon, for the matrices of the layers.
        table_rate: of AdamW, for the embedding table.
        rate: of AdamW, for everything else.
        warm_up: steps of rising rates.
        keep_every: steps between states that a killed run goes on from.
        tell_every: steps between lines of the curve.
        develop_every: steps between measurements on the development sets, a multiple of `tell_every`; 0: at the end.
        autocast: whether products are computed in bfloat16, where the device has it.
        compiled: whether layers and comparisons are compiled first (`torch.compile`; it needs a C compiler): it takes a
            minute, and spares memory's traffic.
        device: ``cpu`` or ``cuda``.
    """

    tokens: int
    tokens_per_step: int = 4600
    processes: int = 1
    chunk: int = 0
    matrix_rate: float = 0.01
    table_rate: float = 5e-4
    rate: float = 1e-3
    warm_up: int = 50
    keep_every: int = 100
    tell_every: int = 10
    develop_every: int = 0
    autocast: bool = True
    compiled: bool = False
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """Adapters that are learned in place of the weights beside them (LoRA; Hu et al., 2022).

    What is made is a checkpoint as any other: adapters are added to the weights in the end. Their rate is
    `LoopConfig.rate`.

    Attributes:
        rank: of each adapter: it holds ``rank · (n_in + n_out)`` numbers.
        alpha: an adapter counts ``alpha / rank`` times.
        modules: linear layers of the backbone that get one, by the last part of their names.
    """

    rank: int = 16
    alpha: int = 32
    modules: tuple[str, ...] = ("in_proj", "q_proj", "k_proj", "v_proj", "out_proj", "w1", "w2", "w3")

    def __post_init__(self) -> None:
        """Refuse adapters that hold nothing.

        Raises:
            InvalidConfigError: rank or alpha are below 1, or no module gets one.
        """
        if min(self.rank, self.alpha) < 1 or not self.modules:
            raise InvalidConfigError(
                "adapters need a rank and an alpha of 1 or more, and modules", help="leave keys out of [lora]"
            )


@dataclass(frozen=True, slots=True)
class ShapeConfig:
    """A shape to begin from nothing with; vocabulary and token contract are the start's (see `BackboneConfig`).

    With `teacher_table` the embedding table begins as the main directions of the teacher's.
    """

    hidden_size: int
    feed_forward_size: int
    layer_types: tuple[str, ...]
    n_heads: int
    n_kv_heads: int
    head_dim: int
    dim: int = 128
    teacher_table: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training run.

    Attributes:
        name: of what is made.
        seed: of everything random.
        start: encoder that training begins with: a name that `load_encoder` takes, mostly a checkpoint folder.
        shape: weights are drawn in this shape instead; None: those of the start.
        lora: adapters that are learned while all weights of the start are kept; None: all weights are learned.
        teacher: whose token vectors are learned: the folder of a BERT with XLM-R's vocabulary (multilingual-e5), or an
            encoder of the start's vocabulary, by name; empty: none, and only the losses of pairs and lists are left.
        teacher_prefixes: text put before queries and before documents for the teacher.
        data: what is learned from.
        loss: what is minimised.
        late: what is minimised instead in the last part; None: the same to the end.
        loop: how.
        licence: of what is made.
    """

    name: str
    seed: int
    start: str
    data: DataConfig
    loop: LoopConfig
    teacher: str = ""
    loss: LossConfig = LossConfig()
    late: LateConfig | None = None
    shape: ShapeConfig | None = None
    lora: LoraConfig | None = None
    teacher_prefixes: tuple[str, ...] = ("query: ", "passage: ")
    licence: str = "Apache-2.0"

    @property
    def losses(self) -> tuple[LossConfig, ...]:
        """All that is minimised at some time."""
        return (self.loss,) if self.late is None else (self.loss, self.late.loss)

    def loss_at(self, progress: float) -> LossConfig:
        """Give what is minimised when a share of the tokens has been seen."""
        return self.loss if self.late is None or progress < self.late.begins else self.late.loss

    def __post_init__(self) -> None:
        """Refuse what cannot be minimised.

        Raises:
            InvalidConfigError: something needs a teacher and there is none, there is nothing to learn from, a size is
                out of range, or adapters have nothing to adapt.
        """
        data = self.data
        if not self.teacher and any(loss.token or loss.ranking for loss in self.losses):
            raise InvalidConfigError(
                "the token and ranking losses need a teacher", help="name one, or give both the weight 0 in [loss]"
            )
        if not self.teacher and data.curriculum:
            raise InvalidConfigError(
                "a curriculum goes by the teacher's ranks", help="name a teacher, or leave out curriculum"
            )
        if not (data.sources or data.documents or data.parallel_sources or data.lists):
            raise InvalidConfigError(
                "there is nothing to learn from", help="name sources, documents, translations or lists"
            )
        if data.list_size < 2:
            raise InvalidConfigError("a list of one candidate teaches nothing", help="give list_size 2 or more")
        if self.lora is not None and self.shape is not None:
            raise InvalidConfigError("adapters cannot mend drawn weights", help="leave out [shape] or [lora]")
        if self.loop.chunk < 0:
            raise InvalidConfigError("a chunk holds one pair or more", help="give chunk 1 or more, or 0 for all")


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; its paths are taken from the folder one stands in.

    Raises:
        NotFoundError: there is no such file.
        InvalidConfigError: it is not TOML, or a key is unknown, missing, or of another type.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no recipe {path}", help="recipes/ holds some to begin with") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfigError(f"{path} is not TOML: {error}", help="compare it with recipes/smoke.toml") from error
    return from_mapping(Recipe, values)
