"""Carrier candidates: the noun phrases and verb groups of each functional unit.

With a tagger and a parser they come from the noun chunks and the parts of speech, with a tagger
alone from sequences of parts of speech. Without, a chunker over closed-class words approximates
them: Italian marks the beginning of a noun phrase (article, preposition, possessive) and of a verb
group (negation, clitic, auxiliary) with words that can be listed.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from spacy.tokens import Doc, Span, Token
from thinc.api import Ops, get_current_ops, to_numpy
from thinc.types import Ragged

from .metrics import Edges, shares_content
from .schema import EC_KEY, FU_KEY
from .span_groups import read_spans
from .text_view import blank_tokens, line_break_tokens, spell

Suggester = Callable[..., Ragged]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Lower case, typographic apostrophes as ', with and without accents, as people write them.
ARTICLES = _words("il lo la l' i gli le un uno una un'")
DETERMINERS = ARTICLES | _words(
    """questo questa questi queste quest' quello quella quelli quelle quel quell' quei quegli
    sto sta sti ste mio mia miei mie tuo tua tuoi tue suo sua suoi sue nostro nostra nostri nostre
    vostro vostra vostri vostre loro ogni qualche nessun nessuno nessuna nessun' alcuni alcune
    tutto tutta tutti tutte tutt' molti molte tanti tante pochi poche altro altra altri altre
    altr' qualsiasi ciascuno ciascuna certi certe"""
)
PREPOSITIONS = _words(
    """di a da in con su per tra fra d' ad x del dello della dell' dei degli delle al allo alla
    all' ai agli alle dal dallo dalla dall' dai dagli dalle nel nello nella nell' nei negli nelle
    sul sullo sulla sull' sui sugli sulle col coi senza verso dopo prima durante contro sotto
    sopra dentro fuori dietro davanti oltre tramite presso fino sino"""
)
CONJUNCTIONS = _words(
    """e ed o oppure ma però pero' pero che ke ch' se quando perché perchè perche' perche xké xkè
    xke xche poiché poichè poiche' poiche mentre quindi né nè ne' anche come com' dove dov' cioè
    cioe' cioe siccome affinché benché finché finche' finche cosa cos' chi cui quale quali quanto
    quanta quanti quante anzi infatti eppure ossia sebbene nonostante"""
)
CLITICS = _words("mi ti si ci vi lo la li le ne gli me te se ce ve glie m' t' s' c' v' n' l'")
# Clitics before another clitic only ("me lo"); elsewhere pronouns ("per me") or "if" ("se").
CLITICS_BEFORE_CLITICS = _words("me te se ce ve glie")
NEGATIONS = _words("non nn n")
AUXILIARIES = _words(
    """essere sono sei è e' siamo siete ero eri era eravamo eravate erano fui fu fummo furono
    sarò saro' sarai sarà sara' saremo saranno sarei saresti sarebbe saremmo sarebbero sia siano
    fosse fossi fossero stato stata stati state essendo
    avere aver ho hai ha abbiamo avete hanno avevo avevi aveva avevamo avevate avevano ebbe avrò
    avro' avrai avrà avra' avremo avranno avrei avresti avrebbe avremmo avrebbero abbia abbiano
    avesse avessi avessero avuto avendo
    stare sto stai sta stiamo state stanno stavo stavi stava stavamo stavano starò starà
    potere poter posso puoi può puo' puo possiamo potete possono potevo potevi poteva potevamo
    potevano potrò potrà potrei potresti potrebbe potuto possa
    volere voler voglio vuoi vuole vogliamo volete vogliono volevo volevi voleva volevamo volevano
    vorrei vorresti vorrebbe voluto
    dovere dover devo devi deve dobbiamo dovete devono dovevo dovevi doveva dovevamo dovevano
    dovrò dovrà dovrei dovresti dovrebbe dovuto"""
)
ADVERBS = _words(
    """già gia' gia mai ancora sempre più piu' piu molto tanto poco troppo poi ora adesso oggi ieri
    domani qui qua lì li' là la' così cosi' cosi solo soltanto proprio davvero subito finalmente
    quasi pure forse magari bene male meno insomma cmq comunque invece allora almeno appena
    addirittura ormai intanto sì si' no boh vabbè vabbe' ecco ok beh eh ehm mh mah oddio"""
)
PRONOUNS = _words(
    "io tu lui lei noi voi essi ciò cio' qualcosa qualcuno niente nulla stesso stessa stessi stesse"
)
CLOSED_CLASS = (
    DETERMINERS
    | PREPOSITIONS
    | CONJUNCTIONS
    | CLITICS
    | NEGATIONS
    | AUXILIARIES
    | ADVERBS
    | PRONOUNS
)

# Endings of words that are nearly always verbs when they stand after a noun. The forms of the
# present tense cannot be told from nouns and adjectives.
INFINITIVE_ENDINGS = ("are", "ere", "ire", "arsi", "ersi", "irsi", "armi", "ermi", "irmi")
VERB_ENDINGS = (
    *INFINITIVE_ENDINGS,
    *_words(
        """arlo erlo irlo arla erla irla arti erti irti arci erci irci ando endo
        avo avi ava avamo avano evo evi eva evamo evano ivo iva ivano
        ato uto ito ata uta ita ati uti iti ate ute ite arono erono irono
        erò erà eranno irò irà iranno erei erebbe irei irebbe iamo
        assi asse essi esse issi isse"""
    ),
)
NOMINAL = frozenset({"DET", "NUM", "ADJ", "NOUN", "PROPN", "X"})
HEADS = frozenset({"NOUN", "PROPN", "ADJ", "NUM", "X"})
MAX_CONTENT_WORDS = 3  # of a noun phrase: a bound where nothing closed-class ends it


def normal_form(token: Token) -> str:
    """The form that the word lists hold: composed (NFC), without invisible characters."""
    return spell(token.lower_)


def _is_word(token: Token) -> bool:
    return not (token.is_space or token.is_punct) and any(c.isalnum() for c in token.text)


def content_mask(doc: Doc) -> list[bool]:
    """For each token, whether it is a content word: neither white space, punctuation or a symbol
    nor in a closed class. By form alone, so that it is the same with and without a tagger."""
    return [_is_content(token) for token in doc]


def _is_content(token: Token) -> bool:
    return _is_word(token) and normal_form(token) not in CLOSED_CLASS


def chunk_edges(doc: Doc) -> list[Edges]:
    """Candidates inside the units of `doc.spans["fu"]`, or inside the whole Doc when there is no
    such group: token edges, sorted, without duplicates. Each holds a content word, and none
    begins or ends in white space or punctuation. A chunk across units is cut at their edges.

    White space and invisible characters between words are passed over, unless a line ends there.
    """
    # All offsets but the result are those among the tokens that are not passed over.
    passed_over = blank_tokens(doc) & ~line_break_tokens(doc)
    places = np.flatnonzero(~passed_over)
    tokens = [doc[int(i)] for i in places]
    units: list[Edges] = [(0, len(tokens))]
    if FU_KEY in doc.spans:
        units = [_among(places, unit) for unit in read_spans(doc, FU_KEY)]
    words = [_is_word(token) for token in tokens]
    content = [_is_content(token) for token in tokens]
    tagged = doc.has_annotation("POS")
    if tagged and doc.has_annotation("DEP") and doc.vocab.get_noun_chunks is not None:
        phrases = [_among(places, chunk) for chunk in _noun_chunks(doc)]
        chunks = _cut([*phrases, *_verb_groups(tokens)], units, len(tokens))
    elif tagged:
        chunks = _cut([*_noun_phrases(tokens), *_verb_groups(tokens)], units, len(tokens))
    else:
        forms = [normal_form(token) for token in tokens]
        chunks = [chunk for unit in units for chunk in _closed_class_chunks(forms, content, unit)]
    found: set[Edges] = set()
    for start, end in chunks:
        while start < end and not words[start]:
            start += 1
        while start < end and not words[end - 1]:
            end -= 1
        if any(content[start:end]):
            found.add((tokens[start].i, tokens[end - 1].i + 1))
    return sorted(found)


def _among(places: np.ndarray, span: Span) -> Edges:
    """The edges of a span among some tokens of its Doc, whose indices are given."""
    start, end = np.searchsorted(places, (span.start, span.end))
    return int(start), int(end)


def suggest_chunks(docs: Iterable[Doc], *, ops: Ops | None = None) -> Ragged:
    """`chunk_edges` of several Docs in the form that spaCy's components want: int32 rows (start,
    end), the number of rows of each Doc as lengths."""
    if ops is None:
        ops = get_current_ops()
    edges = [chunk_edges(doc) for doc in docs]
    rows = [row for of_doc in edges for row in of_doc]
    lengths = ops.asarray1i([len(of_doc) for of_doc in edges])
    if not rows:
        return Ragged(ops.xp.zeros((0, 2), dtype="i"), lengths)
    return Ragged(ops.asarray(rows, dtype="i"), lengths)


def make_chunk_suggester() -> Suggester:
    """`spacy_valence_ec.chunk_suggester.v1`"""
    return suggest_chunks


def candidate_coverage(docs: Iterable[Doc], suggester: Suggester) -> dict[str, float | None]:
    """How well a suggester does on annotated Docs: `recall`, the share of the carriers of
    `doc.spans["ec"]` that some candidate overlaps by a content token, and `per_unit`, the mean
    number of candidates in a unit. None where there is no carrier, or no unit."""
    n_carriers = n_covered = n_candidates = n_units = 0
    for doc in docs:
        rows = [(int(start), int(end)) for start, end in to_numpy(suggester([doc]).dataXd)]
        content = content_mask(doc)
        carriers = doc.spans.get(EC_KEY, ())
        for carrier in carriers:
            edges = (carrier.start, carrier.end)
            n_carriers += 1
            n_covered += any(shares_content(row, edges, content) for row in rows)
        n_candidates += len(rows)
        n_units += len(doc.spans[FU_KEY]) if FU_KEY in doc.spans else 1
    return {
        "recall": n_covered / n_carriers if n_carriers else None,
        "per_unit": n_candidates / n_units if n_units else None,
    }


def _cut(chunks: Iterable[Edges], units: Sequence[Edges], n_tokens: int) -> list[Edges]:
    """The parts of chunks that lie in one unit each."""
    unit_of = [-1] * n_tokens
    for i, (start, end) in enumerate(units):
        unit_of[start:end] = [i] * (end - start)
    parts: list[Edges] = []
    for start, end in chunks:
        first = start
        for i in range(start + 1, end + 1):
            if i == end or unit_of[i] != unit_of[first]:
                if unit_of[first] >= 0:
                    parts.append((first, i))
                first = i
    return parts


def _noun_chunks(doc: Doc) -> list[Span]:
    """Noun chunks of the parse without what is not part of them."""
    chunks: list[Span] = []
    for chunk in doc.noun_chunks:
        start = chunk.start
        while start < chunk.end and doc[start].pos_ in ("ADP", "CCONJ", "SCONJ"):
            start += 1
        chunks.append(doc[start : chunk.end])
    return chunks


def _noun_phrases(tokens: Sequence[Token]) -> list[Edges]:
    """Sequences of determiners, numbers, adjectives and nouns, with adverbs before an adjective;
    a determiner after a noun opens a new one."""
    chunks: list[Edges] = []
    start: int | None = None
    has_head = False
    for i, token in enumerate(tokens):
        inside = token.pos_ in NOMINAL or (
            token.pos_ == "ADV" and i + 1 < len(tokens) and tokens[i + 1].pos_ == "ADJ"
        )
        opens = token.pos_ == "DET" and has_head
        if start is not None and (not inside or opens):
            if has_head:
                chunks.append((start, i))
            start = None
        if inside and start is None:
            start, has_head = i, False
        has_head = has_head or (inside and token.pos_ in HEADS)
    if start is not None and has_head:
        chunks.append((start, len(tokens)))
    return chunks


def _verb_groups(tokens: Sequence[Token]) -> list[Edges]:
    """Verbs with the auxiliaries, clitics and negation that stand before them."""
    chunks: list[Edges] = []
    for i, verb in enumerate(tokens):
        if verb.pos_ not in ("VERB", "AUX"):
            continue
        start = i
        while start > 0 and _belongs_to_verb(tokens[start - 1]):
            start -= 1
        next_is_verb = i + 1 < len(tokens) and tokens[i + 1].pos_ in ("VERB", "AUX")
        if verb.pos_ == "VERB" or not next_is_verb:
            chunks.append((start, i + 1))
    return chunks


def _belongs_to_verb(token: Token) -> bool:
    form = normal_form(token)
    return token.pos_ == "AUX" or form in NEGATIONS or (token.pos_ == "PRON" and form in CLITICS)


def _closed_class_chunks(forms: Sequence[str], content: Sequence[bool], unit: Edges) -> list[Edges]:
    """Noun-phrase-like and verb-group-like chunks of one unit, from left to right."""
    chunks: list[Edges] = []
    i, end = unit
    after_preposition = False
    while i < end:
        stop = _verb_group_end(forms, content, i, unit)
        if stop == i and forms[i] in DETERMINERS:
            stop = _noun_phrase_end(forms, content, i, end)
        if stop == i and content[i]:
            if after_preposition and not forms[i].endswith(INFINITIVE_ENDINGS):
                stop = _noun_phrase_end(forms, content, i, end)
            else:
                stop = i + 1
        if stop > i:
            chunks.append((i, stop))
        after_preposition = stop == i and forms[i] in PREPOSITIONS
        i = max(stop, i + 1)
    return chunks


def _verb_group_end(forms: Sequence[str], content: Sequence[bool], i: int, unit: Edges) -> int:
    """End of the verb group that opens at i with a negation, a clitic or an auxiliary: these,
    adverbs between ("ho già visto"), and the word that follows. i itself if none opens there."""
    start, end = i, unit[1]
    while i < end and (
        forms[i] in NEGATIONS or forms[i] in AUXILIARIES or _is_clitic(forms, i, unit)
    ):
        i += 1
    if i == start:
        return start
    head = i
    while head < end and forms[head] in ADVERBS:
        head += 1
    return head + 1 if head < end and content[head] else i


def _is_clitic(forms: Sequence[str], i: int, unit: Edges) -> bool:
    """Whether a form that may be a clitic is one here: an article before an auxiliary ("l'ho"),
    or after a negation or another clitic ("non la vedo", "me la dice"), is."""
    form = forms[i]
    before = forms[i - 1] if i > unit[0] else ""
    after = forms[i + 1] if i + 1 < unit[1] else ""
    if form not in CLITICS:
        return False
    if form in CLITICS_BEFORE_CLITICS:
        return after in CLITICS
    if form in ARTICLES:
        return after in AUXILIARIES or before in NEGATIONS or before in CLITICS - ARTICLES
    return True


def _noun_phrase_end(forms: Sequence[str], content: Sequence[bool], i: int, end: int) -> int:
    """End of the noun phrase that opens at i: determiners, adverbs between ("la più bella"), and
    content words up to a closed-class word or to one that ends like a verb. i itself if there is
    no content word."""
    start = i
    while i < end and forms[i] in DETERMINERS:
        i += 1
    while i < end and forms[i] in ADVERBS:
        i += 1
    first = i
    while (
        i < end
        and content[i]
        and i - first < MAX_CONTENT_WORDS
        and (i == first or not forms[i].endswith(VERB_ENDINGS))
    ):
        i += 1
    return i if i > first else start
