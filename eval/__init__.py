"""Is it good? Evaluation of the index as it is served: data sets, measures, baselines, reports, comparisons.

Names are loaded on first use, so that importing this package costs nothing.
"""

from typing import TYPE_CHECKING

from lfm2_colbert.registry import attributes_on_use

if TYPE_CHECKING:
    from eval.run import Options as Options
    from eval.run import evaluate as evaluate

__all__ = ["Options", "evaluate"]

__getattr__ = attributes_on_use(__name__, {"Options": "eval.run", "evaluate": "eval.run"})
