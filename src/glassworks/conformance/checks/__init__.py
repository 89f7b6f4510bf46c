"""The checks, one module an area. A function `cN_what_holds` is the check `cN.what_holds`; its docstring is what it
expects; it returns, or raises Failed or NotOffered. `CASES` of a module are checks as data: each is called with the
target, and has a `group` (`C19`), a `name` and what it `expects`."""
