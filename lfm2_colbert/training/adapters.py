"""Adapters of low rank beside frozen weights: ``W x + (alpha / rank) · B A x``, A and B alone are learned.

LoRA (Hu et al., 2022), by the library peft. B begins at 0, so that a model begins as what it was.
"""

from peft import LoraConfig as PeftConfig
from peft import inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from lfm2_colbert.errors import InvalidConfigError, suggestion
from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.training.recipe import LoraConfig


def add_adapters(model: ColBERTModel, config: LoraConfig) -> None:
    """Put adapters beside the linear layers of the backbone that a recipe names; all other weights are frozen.

    A is drawn from torch's generator.

    Raises:
        InvalidConfigError: the backbone has no linear layer of a name.
    """
    layers: dict[str, list[str]] = {}
    for name, module in model.backbone.named_modules():
        if isinstance(module, nn.Linear):
            layers.setdefault(name.rpartition(".")[2], []).append(f"backbone.{name}")
    for name in config.modules:
        if name not in layers:
            raise InvalidConfigError(f"the backbone has no linear layer '{name}'", help=suggestion(name, layers))
    targets = [layer for name in config.modules for layer in layers[name]]
    settings = PeftConfig(r=config.rank, lora_alpha=config.alpha, target_modules=targets, lora_dropout=0.0, bias="none")
    inject_adapter_in_model(settings, model)


def merge_adapters(model: ColBERTModel) -> None:
    """Add adapters to the weights that they stand beside, and take them away.

    Raises:
        ValueError: a weight is not finite.
    """
    adapted = [(name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)]
    for name, module in adapted:
        module.merge(safe_merge=True)
        model.set_submodule(name, module.get_base_layer())
