"""clevercloud-sdk: looks around, makes an application and deploys what was pushed to it again."""
import asyncio
import sys

from clever_cloud import (
    ApiTokenCredentials,
    AuthenticationError,
    CleverCloudClient,
    NotFoundError,
    OAuthCredentials,
)

api, bridge, organization, token, secret, api_token = sys.argv[1:]
CONSUMER = ("T5nFjKeHH4AIlEveuGhB5S3xg8T19e", "MgVMqTr6fWlf2M0tkC2MXOnhfqBWDT")


def client(base, credentials):
    return CleverCloudClient(credentials, base_url=base, allow_insecure_http=True)


def pair(secret):
    return OAuthCredentials(*CONSUMER, token=token, secret=secret)


async def use(client, name):
    profile = await client.get_profile()
    assert profile.id.startswith("user_"), profile
    app = await client.create_application(
        organization, name, instance_slug="docker", environment=[{"name": "A", "value": "b"}]
    )
    assert app.state == "SHOULD_BE_DOWN" and app.deploy_url, app
    domains = await client.list_domains(organization, app.id)
    assert domains[0].domain.endswith(".cleverapps.io"), domains
    try:
        await client.get_primary_domain(organization, app.id)
        raise AssertionError("there is a favourite")
    except NotFoundError:
        pass
    print(name, app.id)


async def main():
    async with client(api, pair(secret)) as by_pair:
        await use(by_pair, "by-pair")
    async with client(bridge, ApiTokenCredentials(token=api_token)) as by_token:
        await use(by_token, "by-token")
    for base, wrong in [(api, pair("wrong")), (api, ApiTokenCredentials(token=api_token))]:
        async with client(base, wrong) as stranger:
            try:
                await stranger.get_profile()
                raise AssertionError(f"{wrong} opens {base}")
            except AuthenticationError:
                pass


asyncio.run(main())
