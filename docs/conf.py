"""Configuration of the documentation site; `make site` builds it into `build/site`, with warnings as errors."""

import os
import re
import sys
from pathlib import Path

# Files of the build must not follow the machine it runs on, and TensorFlow's start-up messages are not of the examples.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))

from api_pages import write_api_pages  # noqa: E402

from batchsel import __version__  # noqa: E402

project = "batchsel"
author = "the authors of batchsel"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["gallery/*.py", "gallery/*.ipynb", "gallery/*.md5", "sg_execution_times.rst"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
default_role = "code"
language = "en"

html_theme = "furo"
html_title = "batchsel"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autosummary_generate = False
autodoc_member_order = "bysource"
# Bounds of parameters are annotations, which would hide the names; the texts say what each parameter is.
autodoc_typehints = "none"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

sphinx_gallery_conf = {
    "examples_dirs": str(FOLDER.parent / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py",
    "copyfile_regex": r"sonnets\.txt",
    "within_subsection_order": "gallery_order.in_teaching_order",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "capture_repr": (),  # each example has a picture; tables of histories would stand between
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "plot_gallery": "True",
}


def _read_formulas(app, what, name, obj, options, lines):
    """Part "Formula:", "Cost:" and "Source:", one paragraph in the source, and keep | in formulas from being markup."""
    read, doctest = [], False
    for line in lines:
        doctest = line.lstrip().startswith(">>>") or (doctest and bool(line.strip()))
        if not doctest:
            spans = re.split(r"(``.*?``|`.*?`)", line)
            line = "".join(span if span.startswith("`") else span.replace("|", r"\|") for span in spans)
        if line.startswith(("Formula: ", "Cost: ", "Source: ")) and read and read[-1].strip():
            read.append("")
        read.append(line)
    lines[:] = read


def _keep_sentences(app, what, name, obj, options, lines):
    """Keep napoleon from reading the beginning of a sentence as a type, as in "True: scores are weights".

    It does so if the colon is followed by something on the same line.
    """
    if what in ("attribute", "data", "property") and lines and not re.match(r"``[^`]*``:", lines[0]):
        lines[:1] = lines[0].replace(": ", ":\n", 1).split("\n")


def setup(app):
    """Write the pages of the API reference before Sphinx looks for pages, and keep its text readable."""
    write_api_pages(FOLDER / "api")
    app.connect("autodoc-process-docstring", _read_formulas, priority=400)
    app.connect("autodoc-process-docstring", _keep_sentences, priority=450)
