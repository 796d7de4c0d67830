"""Who may use the API and the console.

- `keys`          keys of producers, operators and viewers: made, verified, rotated, revoked
- `sessions`      who is signed in to the console
- `signin_limit`  wrong keys at the sign-in are counted
"""
