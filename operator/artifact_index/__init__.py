"""artifact-index-operator: declared Python package indexes in, an always fresh uv.toml out."""

__version__ = "0.1.0"
