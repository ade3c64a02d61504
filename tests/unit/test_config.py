"""Configurations go to JSON and come back the same; whatever else stands there is refused."""

import json
from dataclasses import FrozenInstanceError, dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert.config import BackboneConfig, EncoderConfig, TokenContract, from_mapping, to_json
from lfm2_colbert.encoders.loading import BUNDLED
from lfm2_colbert.errors import InvalidConfigError, Lfm2ColbertError

ids = st.integers(0, 10**6)
contracts = st.builds(
    TokenContract,
    bos_id=ids,
    query_marker_id=ids,
    document_marker_id=ids,
    query_length=st.integers(3, 10**4),
    document_length=st.integers(3, 10**4),
    pad_id=ids,
    expansion_id=st.none() | ids,
    attend_to_expansion=st.booleans(),
    skip_ids=st.lists(ids, max_size=5).map(tuple),
)
backbones = st.builds(
    BackboneConfig,
    layer_types=st.lists(st.sampled_from(["conv", "full_attention"]), max_size=4).map(tuple),
    norm_eps=st.floats(1e-9, 1),
    rope_theta=st.floats(1, 1e9),
)
configs = st.builds(
    EncoderConfig, backbone=backbones, tokens=contracts, markers=st.lists(st.text(), max_size=3).map(tuple)
)


@dataclass(frozen=True)
class Sizes:
    width: int
    rate: float = 0.5
    name: str | None = None


@given(config=configs)
def test_what_goes_to_json_comes_back_equal(config: EncoderConfig) -> None:
    written = to_json(config)
    assert from_mapping(EncoderConfig, json.loads(written)) == config
    assert to_json(from_mapping(EncoderConfig, json.loads(written))) == written


@given(config=configs, changed=st.integers(3, 10**4))
def test_another_value_gives_another_text(config: EncoderConfig, changed: int) -> None:
    other = replace(config, tokens=replace(config.tokens, query_length=changed))
    assert (to_json(other) == to_json(config)) == (other == config)


def test_the_bundled_settings_are_written_as_this_program_writes_them() -> None:
    text = (BUNDLED / "encoder.json").read_text(encoding="utf-8")
    assert to_json(from_mapping(EncoderConfig, json.loads(text))) + "\n" == text


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Sizes(3).width = 4  # type: ignore[misc]


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(InvalidConfigError, match="no key 'widht'") as caught:
        from_mapping(Sizes, {"widht": 3})
    assert caught.value.help == "did you mean 'width'? known: name, rate, width"


def test_a_missing_key_is_named_and_a_default_is_not_missing() -> None:
    with pytest.raises(InvalidConfigError, match="lacks width"):
        from_mapping(Sizes, {})
    assert from_mapping(Sizes, {"width": 3}) == Sizes(3, 0.5, None)


def test_a_whole_number_may_stand_for_a_real_one() -> None:
    assert from_mapping(Sizes, {"width": 3, "rate": 1}).rate == 1.0
    assert type(from_mapping(Sizes, {"width": 3, "rate": 1}).rate) is float


@pytest.mark.parametrize(
    "values",
    [
        *({"width": width} for width in ("3", True, 3.0, None, [3])),
        *({"width": 3, "rate": rate} for rate in (True, "1", None)),
        {"width": 3, "name": 5},
    ],
)
def test_a_value_of_another_type_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(InvalidConfigError, match=r"Sizes\.(width|rate|name) must be"):
        from_mapping(Sizes, values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(key=st.sampled_from(["name", "dim", "backbone", "tokens", "markers", "licence"]), value=JSON)
def test_any_value_gives_a_config_or_a_coded_error(key: str, value: object) -> None:
    values = json.loads((BUNDLED / "encoder.json").read_bytes()) | {key: value}
    try:
        config = from_mapping(EncoderConfig, values)
    except Lfm2ColbertError as error:
        refused = error.code
    else:
        refused = ""
        assert json.loads(to_json(config)).keys() == values.keys()
    assert refused in ("", "invalid_config")
