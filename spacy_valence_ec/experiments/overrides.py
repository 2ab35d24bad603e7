"""The overrides of a plan: put into a composed config, and checked without building anything."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from spacy import Language, util
from spacy.schemas import ConfigSchemaNlp, ConfigSchemaTraining
from thinc.api import Config, ConfigValidationError

FACTORY = "factory"


def apply_overrides(config: Config, overrides: Mapping[str, Any]) -> set[str]:
    """Set the values whose dotted names the config has, written or by a default (of spaCy, of a
    component's factory, of an architecture); others are left out, which one of several settings may
    well lack.

    config: as composed; changed in place.
    Returns: the names that were there.
    """
    if not overrides:
        return set()
    full = filled(config)
    found = set()
    for path, value in overrides.items():
        if _has(full, path):
            _set(config, path, value, full)
            found.add(path)
    return found


def paths_of(config: Config) -> list[str]:
    """The dotted names of all that can be overridden, sections too."""
    return list(_paths(filled(config)))


def problem_of(config: Config) -> str | None:
    """What the schemas of spaCy and the types of factories and architectures find wrong with a
    composed config: where, and what; None for nothing."""
    try:
        full = filled(config, validate=True)
        # As `init_nlp` does: these hold settings, and nothing that reads data.
        for name, schema in (("nlp", ConfigSchemaNlp), ("training", ConfigSchemaTraining)):
            try:
                util.registry.resolve(full[name], schema=schema)
            except ConfigValidationError as error:
                return _told(error, name)
    except ConfigValidationError as error:
        return _told(error)
    except (ValueError, TypeError, ImportError, LookupError, AttributeError) as error:
        # A section that is none, a name that is not registered, a reference to nothing.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[0] if lines else type(error).__name__
    return None


def _told(error: ConfigValidationError, section: str = "") -> str:
    """The first of the errors: where, and what."""
    first: Mapping[str, Any] = next(iter(error.errors or ()), {})
    where = [part for part in (section, error.parent, *map(str, first.get("loc", ()))) if part]
    what = str(first.get("msg") or error.title or "not valid").removeprefix("at root: ")
    return ": ".join(filter(None, (".".join(where), what)))


def filled(config: Config, *, validate: bool = False) -> Config:
    """A composed config with its references resolved and with all defaults, as training sees it.

    validate: raise ConfigValidationError or another ValueError for an argument of a wrong type, and
        for a name that is not registered.
    """
    given = Config().from_str(config.to_str()).interpolate()
    nlp = util.get_lang_class(given["nlp"]["lang"])()
    full = Config(nlp.default_config).merge(given).interpolate()
    components = full.pop("components")
    if validate:
        _check_names(full)
    found = {name: _filled(section, name, validate) for name, section in full.items()}
    found["components"] = {
        name: _filled_component(nlp, name, section, validate)
        for name, section in components.items()
    }
    return Config(found)


def _filled(section: dict[str, Any], name: str, validate: bool) -> dict[str, Any]:
    try:
        return dict(util.registry.fill(section, validate=validate))
    except ConfigValidationError as error:
        raise ConfigValidationError(errors=error.errors, parent=name) from error


def _filled_component(
    nlp: Language, name: str, section: dict[str, Any], validate: bool
) -> dict[str, Any]:
    """As `Language.create_pipe` fills it, which builds the component too."""
    if FACTORY not in section:  # it comes from a trained pipeline
        return section
    factory = section[FACTORY]
    if not nlp.has_factory(factory):
        if validate:
            raise ValueError(f"components.{name}.{FACTORY}: there is no factory '{factory}'")
        return section
    config = Config(nlp.get_factory_meta(factory).default_config).merge(section)
    del config[FACTORY]
    if validate:
        _check_names(config)
    internal = nlp.get_factory_name(factory)  # of this language
    if not util.registry.has("factories", internal):
        internal = factory
    component = {**config, "nlp": nlp, "name": name, "@factories": internal}
    found = _filled({name: component}, "components", validate)[name]
    for key in ("nlp", "name", "@factories"):
        del found[key]
    return {FACTORY: factory, **found}


def _check_names(section: Mapping[str, Any]) -> None:
    """Raises: RegistryError for a registered function that there is not."""
    for key, value in section.items():
        if key.startswith("@"):
            util.registry.get(key[1:], value)
        elif isinstance(value, dict):
            _check_names(value)


def _has(config: Any, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(config, dict) or key not in config:
            return False
        config = config[key]
    return True


def _set(config: Config, path: str, value: Any, full: Config) -> None:
    """Set a value that `full` has; a section that only `full` has is taken from there, whole."""
    section: Any = config
    default: Any = full
    *parents, last = path.split(".")
    for key in parents:
        if not isinstance(section.get(key), dict):
            section[key] = deepcopy(default[key])
        section, default = section[key], default[key]
    section[last] = value


def _paths(section: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in section.items():
        yield prefix + str(key)
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")
