"""The checks, one module an area. A function `oN_what_holds` is the check `oN.what_holds`; its docstring is what it
expects; it gets the client, and returns, or raises Failed or NotOffered. `CASES` of a module are checks as data."""
