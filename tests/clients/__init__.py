"""Real clients, and small repositories for them that the tests make and serve themselves.

`client` and `repository` say what is common; each kind has one file for its repository
(`repo_python`, ...) and one for each program that reads it (`pip`, `uv`, ...).
"""
