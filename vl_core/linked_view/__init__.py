"""The linked view: picture and words, and what any of them looks at, drawn in the browser.

It is shown by the app's component and by the page of `vl_core.notebook`. `files` are its JavaScript
and styles, `delivery` says how much attention goes to the browser, `message` what it is told,
`tokens` what it knows of the tokens, and `telling` what it shows first.
"""
