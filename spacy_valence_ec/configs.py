"""Training configs from two halves: a setting of the paper and a backbone."""

import difflib
from pathlib import Path
from typing import Any

from spacy import util
from thinc.api import Config

from .base.encoders import EMBEDDED_ENCODER, find_model, is_model_name, max_length
from .errors import Errors, ValenceECError

# Halves for any model, which have no name of their own: of encoders, of causal models.
GENERIC_BACKBONE, GENERIC_CAUSAL = GENERIC = ("transformer", "causal")
GENERATIVE = "generative_tagger"

EMBEDDED_TAGGER = "embedded"
# The larger ones read static vectors of their own, and a pipeline has one table for all.
INSTALLED_TAGGER = "it_core_news_sm"
TAGGER, PARSER = "morphologizer", "parser"

SETTINGS, BACKBONES = "settings", "backbones"  # folders of the halves
MAX_SEED = 2**32  # what numpy takes is below

ENCODER = "tok2vec"  # the name of the encoder in every backbone

HUB_SECONDS = 3.0  # to answer in


def compose_config(
    setting: str,
    backbone: str,
    *,
    configs: Path,
    seed: int = 0,
    max_epochs: int | None = None,
    gpu_allocator: str | None = None,
    tagger: str = EMBEDDED_TAGGER,
) -> Config:
    """Merge `configs/settings/<setting>.cfg` and `configs/backbones/<backbone>.cfg`.

    setting: of a two-step setting with separate encoders the second step, behind the first one,
        whose trained pipeline is to be given as `paths.first` (`first_setting`).
    backbone: the name of one of these files, or a pretrained model (`base.encoders`), or a local
        folder or Hugging Face hub name of an encoder, for a generative setting of a causal language
        model. Only in the last case is the hub asked, and for that model alone; where it does not
        answer within `HUB_SECONDS`, only what was downloaded before is known.
    tagger: where the parts of speech of the carrier candidates come from: "embedded", the base; or
        a pipeline with a morphologizer, and maybe a parser, by its name or folder.
    max_epochs: 0 for no limit but the patience and, where the backbone sets it,
        `training.max_steps`; None keeps the backbone's.

    Raises: ValenceECError C001 for an unknown setting, C002 for an unknown backbone, C003 for
    a folder that holds no model, C004 for one whose config.json cannot be read, C005 or C006 for
    a tagger that cannot be taken, C007 for a backbone that is not of the kind that the setting
    needs, C008 for a tagger where the setting has none, G004 for a model that is not causal where
    one is needed, P010 or P011 for a pretrained model that is not there.
    """
    config = _setting_config(configs / SETTINGS, setting)
    is_generative = GENERATIVE in config["components"]
    half = _backbone_config(configs / BACKBONES, backbone, is_generative)
    if (GENERATIVE in half["components"]) != is_generative:
        needed = "a causal language model" if is_generative else "an encoder"
        raise ValenceECError(Errors.C007.format(setting=setting, needed=needed, name=backbone))
    encoder = config.pop("two_step", {}).get("encoder")
    if encoder:
        _rename_encoder(half, encoder)
    config = config.merge(half)
    _tidy(config)
    config["system"]["seed"] = seed
    config["system"]["gpu_allocator"] = gpu_allocator
    if max_epochs is not None:
        config["training"]["max_epochs"] = max_epochs
    if tagger != EMBEDDED_TAGGER:
        if TAGGER not in config["nlp"]["pipeline"]:
            raise ValenceECError(Errors.C008.format(setting=setting, name=tagger))
        _take_tagger(config, tagger)
    return config


def fill_defaults(config: Config) -> Config:
    """Return a composed config with spaCy's defaults, as `spacy init fill-config` gives it without
    making the components: `spacy debug config` and `spacy debug data` want every setting."""
    defaults: Config = util.get_lang_class(config["nlp"]["lang"]).default_config
    return defaults.merge(config)


def first_setting(setting: str, *, configs: Path) -> str | None:
    """The setting of the first step of a two-step setting, whose trained pipeline the second one is
    put behind; None for a setting that is trained at once.

    Raises: ValenceECError C001 for an unknown setting.
    """
    section = _setting_config(configs / SETTINGS, setting).get("two_step", {})
    first: str | None = section.get("first")
    return first


def has_tagger(setting: str, *, configs: Path) -> bool:
    """Whether a setting has a tagger, whose place another one can take.

    Raises: ValenceECError C001 for an unknown setting.
    """
    return TAGGER in _setting_config(configs / SETTINGS, setting)["nlp"]["pipeline"]


def installed_tagger() -> str:
    """`it_core_news_sm` if it is installed, else "embedded"."""
    return INSTALLED_TAGGER if util.is_package(INSTALLED_TAGGER) else EMBEDDED_TAGGER


def _take_tagger(config: Config, name: str) -> None:
    """Put the tagger and parser of another pipeline in the place of the embedded tagger, each with
    the encoder that it listens to.

    Raises: ValenceECError C005 if there is no such pipeline, or one without a morphologizer, C006
    if it reads static vectors.
    """
    try:
        folder = _folder_of(name)
        source = util.load_config(folder / "config.cfg", interpolate=True)
        components = source["nlp"]["pipeline"]
    except (OSError, ValueError, KeyError) as error:
        raise ValenceECError(Errors.C005.format(name=name)) from error
    if TAGGER not in components:
        raise ValenceECError(Errors.C005.format(name=name))
    taken = [TAGGER, *([PARSER] if PARSER in components else [])]
    encoders = [c for c in components if source["components"][c].get("factory") == "tok2vec"]
    if any(reads_vectors(source["components"][c]) for c in (*taken, *encoders)):
        raise ValenceECError(Errors.C006.format(name=name))
    for component in taken:
        config["components"][component] = {
            "source": name if util.is_package(name) else str(folder.resolve()),
            "replace_listeners": ["model.tok2vec"],
        }
    pipeline = config["nlp"]["pipeline"]
    at = pipeline.index(TAGGER)
    pipeline[at : at + 1] = taken
    frozen = config["training"]["frozen_components"]
    config["training"]["frozen_components"] = [*frozen, *taken[1:]]
    annotating = config["training"]["annotating_components"]
    if TAGGER in annotating:
        at = annotating.index(TAGGER)
        annotating[at : at + 1] = taken
    config["initialize"].get("components", {}).pop(TAGGER, None)
    started = config["initialize"]["after_init"]["components"]
    config["initialize"]["after_init"]["components"] = [c for c in started if c != TAGGER]


def reads_vectors(section: Any) -> bool:
    """Whether some layer in a section of a config reads the static vectors of the vocabulary."""
    if not isinstance(section, dict):
        return False
    is_layer = str(section.get("@architectures", "")).startswith("spacy.StaticVectors")
    return (
        is_layer
        or section.get("include_static_vectors") is True
        or any(map(reads_vectors, section.values()))
    )


def is_italian(config: Config) -> bool:
    """Return True if the encoder of a composed config is for Italian alone: it reads the vectors of
    the base, or has its word pieces."""
    is_embedded = config.get("backbone", {}).get("name") == EMBEDDED_ENCODER
    return is_embedded or reads_vectors(config["components"])


def _folder_of(pipeline: str) -> Path:
    """Where the config of a pipeline lies: of an installed package, in a folder inside of it."""
    if not util.is_package(pipeline):
        return Path(pipeline)
    package = util.get_package_path(pipeline)
    meta = util.load_meta(package / "meta.json")
    return package / f"{meta['lang']}_{meta['name']}-{meta['version']}"


def _setting_config(folder: Path, setting: str) -> Config:
    """A setting, merged into the one that it extends. A component that it takes from a trained
    pipeline (`source`) has nothing of that of the same name there."""
    config = _read(folder, setting, Errors.C001)
    extended = config.pop("extends", {}).get("setting")
    if not extended:
        return config
    base = _setting_config(folder, extended)
    for name, component in config.get("components", {}).items():
        if "source" in component:
            base["components"].pop(name, None)
            base["initialize"].get("components", {}).pop(name, None)
    return base.merge(config)


def _rename_encoder(backbone: Config, name: str) -> None:
    """Give the encoder of a backbone another name: where it starts from weights of the base, these
    are still those of `ENCODER`."""
    components = backbone["components"]
    components[name] = components.pop(ENCODER)
    start = backbone.get("initialize", {}).get("after_init", {})
    if ENCODER in start.get("components", ()):
        start["components"] = [name if c == ENCODER else c for c in start["components"]]
        start["names"] = {name: ENCODER}


def _tidy(config: Config) -> None:
    """Drop the components that are not in the pipeline, and let those that come from a trained
    pipeline keep their weights."""
    pipeline = config["nlp"]["pipeline"]
    for section in (config["components"], config["initialize"].get("components", {})):
        for name in [name for name in section if name not in pipeline]:
            del section[name]
    start = config.get("initialize", {}).get("after_init")
    parts = config.pop("parts", {}).get("networks", ())
    if start:
        start["components"] = [
            name
            for name in start["components"]
            if name in parts or (name in pipeline and "source" not in config["components"][name])
        ]


def _backbone_config(folder: Path, backbone: str, is_generative: bool) -> Config:
    describe = _describe_decoder if is_generative else _describe_encoder
    if (folder / f"{backbone}.cfg").is_file() and backbone not in GENERIC:
        config = _read_extended(folder, backbone, "backbone", Errors.C002)
        name = config["backbone"].get("name")
        if name and is_model_name(name) and is_generative == _is_causal(folder, backbone):
            config["backbone"].update(describe(str(find_model(name)), []))
            if not is_generative:
                config["backbone"]["name"] = name  # found again where the encoder is initialized
        return config
    half = GENERIC_CAUSAL if is_generative else GENERIC_BACKBONE
    generic = _read_extended(folder, half, "backbone", Errors.C002)
    known = [name for name in _backbones(folder) if _is_causal(folder, name) == is_generative]
    name = str(find_model(backbone)) if is_model_name(backbone) else backbone
    generic["backbone"].update(describe(name, known))
    if is_model_name(backbone) and not is_generative:
        generic["backbone"]["name"] = backbone
    return generic


def _backbones(folder: Path) -> list[str]:
    return [path.stem for path in sorted(folder.glob("*.cfg")) if path.stem not in GENERIC]


def _is_causal(folder: Path, backbone: str) -> bool:
    config = _read_extended(folder, backbone, "backbone", Errors.C002)
    return GENERATIVE in config["components"]


def _describe_decoder(name: str, known: list[str]) -> dict[str, Any]:
    """Name of a causal language model in a local folder or on the hub."""
    from .models.causal_lm import is_causal

    if not is_causal(_read_model_config(name, known)):
        why = "it does not write from left to right"
        raise ValenceECError(Errors.G004.format(name=name, why=why))
    return {"name": _resolved(name)}


def _describe_encoder(name: str, known: list[str]) -> dict[str, Any]:
    """Name, width and maximum length of an encoder in a local folder or on the hub, and windows
    that leave four pieces to a token."""
    encoder = _read_model_config(name, known)
    width = getattr(encoder, "hidden_size", None)
    if width is None:
        raise ValenceECError(Errors.C004.format(name=name))
    n_pieces = max_length(encoder)
    return {
        "name": _resolved(name),
        "width": width,
        "max_length": n_pieces,
        "window": n_pieces // 4,
        "stride": n_pieces * 3 // 16,
    }


def _read_model_config(name: str, known: list[str]) -> Any:
    from transformers import AutoConfig

    folder = Path(name)
    if folder.exists() and not (folder / "config.json").is_file():
        raise ValenceECError(Errors.C003.format(name=name))
    # The hub is asked with five repeats and long waits, which a misspelt name does not deserve.
    on_hub = not folder.exists() and _hub_answers(name)
    try:
        return AutoConfig.from_pretrained(name, local_files_only=not on_hub)
    except (OSError, ValueError, AttributeError) as error:
        if folder.exists():
            raise ValenceECError(Errors.C004.format(name=name)) from error
        message = Errors.C002.format(name=name, known=", ".join(known), hint=_hint(name, known))
        raise ValenceECError(message) from error


def _hub_answers(name: str) -> bool:
    """Whether the Hugging Face hub answers at once, whatever it says, when asked for a model."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import get_session

    try:
        get_session().head(hf_hub_url(name, "config.json"), timeout=HUB_SECONDS)
    except (OSError, ValueError):  # no connection, or a name that no model can have
        return False
    return True


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _resolved(name: str) -> str:
    """The absolute path of a folder, so that a config works from any folder; else the name."""
    return str(Path(name).resolve()) if Path(name).exists() else name


def _read_extended(folder: Path, name: str, kind: str, message: str) -> Config:
    """A half over the one that it names in its section `extends`, and so on."""
    config = _read(folder, name, message)
    base = config.pop("extends", {}).get(kind)
    return _read_extended(folder, base, kind, message).merge(config) if base else config


def _read(folder: Path, name: str, message: str) -> Config:
    path = folder / f"{name}.cfg"
    if Path(name).name != name or not path.is_file():
        files = sorted(file.stem for file in folder.glob("*.cfg"))
        known, hint = ", ".join(files) or "none", _hint(name, files)
        raise ValenceECError(message.format(name=name, known=known, folder=folder, hint=hint))
    # Uninterpolated: the references to the other half are resolved after the merge.
    return util.load_config(path, interpolate=False)
