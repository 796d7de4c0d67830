"""Who may use the API and the console.

- `keys`          keys of producers, operators and viewers: made, verified, rotated, revoked
- `openid`        people, whom the company's OpenID Connect provider signs in; `id_token`: whether what it says is good
- `sessions`      who is signed in to the console
- `signin_limit`  wrong keys at the sign-in are counted
"""
