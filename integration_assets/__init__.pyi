from integration_assets.project import build_defs as build_defs

__version__: str
