"""What a polarity lexicon says of each token, as an input of networks."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model, concatenate
from thinc.types import Floats2d

from ..base.assets import LEXICON, asset_path
from ..lexicon import N_FEATURES, PolarityLexicon, parse_lexicon, read_lexicon_text
from .views import read_views


def LexiconFeatures(lexicon: str | None = None) -> Model[list[Doc], list[Floats2d]]:
    """Features of the entries that a token is part of: (n_tokens, N_FEATURES) for each Doc, see
    `spacy_valence_ec.lexicon`.

    lexicon: path of the file; null for the one of the package. Its text becomes part of the
        model: a trained pipeline needs neither the file nor the same version of the package. It is
        read when the model is initialized, or first used without.
    """
    return Model(
        "lexicon_features",
        _forward,
        init=partial(_init, lexicon),
        dims={"nO": N_FEATURES},
        attrs={"lexicon": None},
    )


def LexicalTok2Vec(
    tok2vec: Model[list[Doc], list[Floats2d]], features: Model[list[Doc], list[Floats2d]]
) -> Model[list[Doc], list[Floats2d]]:
    """Token vectors with features appended: (n_tokens, width of both) for each Doc, whose words
    are read in one spelling (`models.views`), and whose line breaks are seen.

    tok2vec: an encoder, such as `spacy.Tok2Vec.v2`.
    features: such as `spacy_valence_ec.LexiconFeatures.v1`.
    """
    model: Model[list[Doc], list[Floats2d]] = concatenate(tok2vec, features)
    model.set_dim("nO", tok2vec.get_dim("nO") + features.get_dim("nO"), force=True)
    return read_views(model, line_breaks=True)


@lru_cache(maxsize=4)
def _lexicon(text: str) -> PolarityLexicon:
    return parse_lexicon(text, "lexicon")


def _init(path: str | None, model: Model, X: Any = None, Y: Any = None) -> None:
    model.attrs["lexicon"] = read_lexicon_text(asset_path(LEXICON) if path is None else path)


def _forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[list[Floats2d], Callable]:
    if model.attrs["lexicon"] is None:
        model.initialize()
    lexicon = _lexicon(model.attrs["lexicon"])
    tables: list[Any] = [lexicon.features(doc) for doc in docs]
    return [model.ops.asarray2f(table) for table in tables], _no_gradient


def _no_gradient(d_features: list[Floats2d]) -> list[Doc]:
    return []
