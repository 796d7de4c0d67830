"""The types of settings: what a value may be, checked as it is read. What is not right is said by `setting_values`."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from worker import setting_values
from worker.setting_values import cleaned

Cleaned = BeforeValidator(cleaned)
Text = Annotated[str, Cleaned]
Secret = Annotated[SecretStr, Cleaned]


def _header_value(token: SecretStr) -> SecretStr:
    return SecretStr(setting_values.header_value(token.get_secret_value()))


def _sentry_dsn(dsn: SecretStr) -> SecretStr:
    return SecretStr(setting_values.sentry_dsn(dsn.get_secret_value()))


def _base_url(url: str) -> str:
    from hubspot_api.address import is_base

    url = setting_values.http_url(url)
    if not is_base(url):
        raise ValueError(
            f"{setting_values.masked(url)} cannot have paths put behind it; expected {setting_values.BASE}"
        )
    return url


DatabaseUrl = Annotated[Text, AfterValidator(setting_values.database_url)]
BrokerUrl = Annotated[Text, AfterValidator(setting_values.broker_url)]
RedisUrl = Annotated[Text, AfterValidator(setting_values.redis_url)]
BaseUrl = Annotated[Text, AfterValidator(_base_url)]
ProxyUrl = Annotated[Text, AfterValidator(setting_values.proxy_url)]
IssuerUrl = Annotated[Text, AfterValidator(setting_values.issuer_url)]
HostNames = Annotated[Text, AfterValidator(setting_values.hosts)]
ListenAddress = Annotated[Text, AfterValidator(setting_values.listen_address)]
Networks = Annotated[Text, AfterValidator(setting_values.networks)]
OutsideUrl = Annotated[Text, AfterValidator(lambda url: url and _base_url(url))]
CertificateFile = Annotated[Text, AfterValidator(setting_values.readable_file)]
Token = Annotated[Secret, AfterValidator(_header_value)]
SentryDsn = Annotated[Secret, AfterValidator(_sentry_dsn)]
