"""`ec_candidates`: the noun phrases and verb groups that could carry the emotion of a unit."""

from collections.abc import Callable, Iterable

from spacy import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span, SpanGroup
from thinc.api import to_numpy
from thinc.types import Ragged

from ..extensions import install_extensions
from ..schema import EC_CANDIDATES_KEY


@Language.factory(
    "ec_candidates",
    assigns=["doc.spans"],
    default_config={"suggester": {"@misc": "spacy_valence_ec.chunk_suggester.v1"}},
)
def make_ec_candidates(
    nlp: Language, name: str, suggester: Callable[..., Ragged]
) -> "EmotionCarrierCandidates":
    """Construct an `EmotionCarrierCandidates`.

    suggester: any registered one. The default reads the units, and the parts of speech where the
        Doc has them.
    """
    return EmotionCarrierCandidates(name, suggester)


class EmotionCarrierCandidates(Pipe):
    """Sets `doc.spans["ec_candidates"]`, spans without a label and a group without scores: nobody
    has judged them. A group that has scores, of an `ec_tagger` with a suggester, stays."""

    def __init__(self, name: str, suggester: Callable[..., Ragged]):
        install_extensions()
        self.name = name
        self.suggester = suggester

    def __call__(self, doc: Doc) -> Doc:
        install_extensions()
        if EC_CANDIDATES_KEY in doc.spans and doc.spans[EC_CANDIDATES_KEY].attrs:
            return doc
        edges = to_numpy(self.suggester([doc]).dataXd)
        spans = [Span(doc, int(start), int(end)) for start, end in edges]
        doc.spans[EC_CANDIDATES_KEY] = SpanGroup(doc, name=EC_CANDIDATES_KEY, spans=spans)
        return doc

    def score(self, examples: Iterable, **kwargs: object) -> dict:
        """Nothing: candidates are no prediction."""
        return {}
