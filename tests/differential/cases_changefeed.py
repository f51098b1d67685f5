"""The changefeed of a collection and of the whole server."""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.exchange import Answer
from tests.differential.harness import EXPENDABLE, Item, Site, case


def _show(answer: Answer, first: int = 0) -> str:
    """The answer in short, with IDs counted from a given one."""
    if answer.status != 200:
        return str(answer)
    records = answer.json["records"]
    if records is None:
        return f"count {answer.json['count']}, records null"
    shown = [
        f"{int(each['ID']) - first}:{each['Category']} {each['Version']}"
        f"{'' if each['SHA256'] else ' without hash'}"
        for each in records
    ]
    return f"count {answer.json['count']}, {shown}"


def _four_changes(site: Site) -> int:
    """Publish three times and delete; return the ID before the first of these changes."""
    forge = site.published(server_snapshot=True)
    site.publish({"targets": forge.targets(2)})
    site.publish({"targets": forge.targets(3)})
    site.request("DELETE", site.base())
    records = site.request("GET", f"/v2/{site.gun}/_trust/changefeed?records=4").json["records"]
    return int(records[0]["ID"]) - 1


QUERIES = {
    "all": "records=10",
    "none": "",
    "empty": "records=",
    "zero": "records=0",
    "two": "records=2",
    "backwards": "records=-2",
    "backwards-all": "records=-10",
    "after-first": "records=10&change_id={1}",
    "after-last": "records=10&change_id={4}",
    "after-unknown": "records=10&change_id=1000000",
    "before-third": "records=-10&change_id={3}",
    "before-third-one": "records=-1&change_id={3}",
    "from-newest": "records=2&change_id=-1",
    "from-newest-backwards": "records=-2&change_id=-1",
    "change-id-zero": "records=1&change_id=0",
    "change-id-zero-backwards": "records=-10&change_id=0",
    "change-id-empty": "records=2&change_id=",
    "change-id-minus-2": "records=2&change_id=-2",
    "change-id-text": "records=2&change_id=x",
    "change-id-float": "records=2&change_id=1.5",
    "change-id-plus": "records=2&change_id=%2B1",
    "change-id-2^31": "records=2&change_id=2147483648",
    "change-id-2^63": "records=2&change_id=9223372036854775808",
    "change-id-blank": "records=2&change_id=%201",
    "text": "records=x",
    "float": "records=1.5",
    "plus": "records=%2B2",
    "blank": "records=%202",
    "underscore": "records=1_0",
    "hexadecimal": "records=0x2",
    "other-digits": "records=%D9%A2",
    "leading-zeros": "records=0002",
    "1001": "records=1001",
    "2^31": "records=2147483648",
    "-2^31-1": "records=-2147483649",
    "twice": "records=1&records=2",
    "upper-case": "RECORDS=1",
    "more": "records=10&other=1",
    "semicolon": "records=2;change_id=1",
    "bad-escape": "records=2&change_id=%zz",
}

for name, query in QUERIES.items():

    @case(f"changefeed/{name}")
    def ask(site: Site, query: str = query) -> Iterator[Item]:
        first = _four_changes(site)
        ids = [first + each for each in range(5)]
        answer = site.request("GET", f"/v2/{site.gun}/_trust/changefeed?{query.format(*ids)}")
        yield _show(answer, first)


for name, query in {
    "2^31-1": "records=2147483647",
    "-2^31": "records=-2147483648&change_id=-1",
}.items():

    @case(f"changefeed/{name}", EXPENDABLE)
    def ask_for_too_many(site: Site, query: str = query) -> Iterator[Item]:
        """Somebody else's request, sent after the greedy one, is answered, too."""
        first = _four_changes(site)
        yield _show(site.request("GET", f"/v2/{site.gun}/_trust/changefeed?{query}"), first)
        yield "alive" if site.origin.listens() else "the server died"


@case("changefeed/form")
def form(site: Site) -> Iterator[Item]:
    site.published()
    answer = site.request("GET", f"/v2/{site.gun}/_trust/changefeed?records=10")
    record = answer.json["records"][0]
    yield f"{sorted(record)}, {type(record['ID']).__name__}"
    yield "GUN" if record["GUN"] == site.gun else "not the GUN"
    yield f"{len(record['SHA256'])} digits"
    yield site.get(f"timestamp.{record['SHA256']}.json")
    yield record["CreatedAt"][-1] + " after " + record["CreatedAt"][:4]


@case("changefeed/content-type")
def content_type(site: Site) -> Iterator[Item]:
    answer = site.request("GET", f"/v2/{site.gun}/_trust/changefeed?records=10")
    yield str(answer.headers.get("content-type"))


@case("changefeed/unknown-gun")
def unknown(site: Site) -> Iterator[Item]:
    yield _show(site.request("GET", f"/v2/{site.gun}/_trust/changefeed?records=10"))


@case("changefeed/gun-is-no-prefix")
def no_prefix(site: Site) -> Iterator[Item]:
    site.published(gun=site.gun + "/b")
    yield _show(site.request("GET", f"/v2/{site.gun}/_trust/changefeed?records=10"))


@case("changefeed/refused-publish-adds-nothing")
def refused(site: Site) -> Iterator[Item]:
    forge = site.published(server_snapshot=True)
    site.upload({"targets": forge.targets(1)})
    site.upload({"targets": forge.targets(2, signatures=[])})
    first = int(
        site.request("GET", f"/v2/{site.gun}/_trust/changefeed?records=1").json["records"][0]["ID"]
    )
    yield _show(site.request("GET", f"/v2/{site.gun}/_trust/changefeed?records=10"), first)


@case("changefeed/delete-of-nothing-adds-nothing")
def delete_of_nothing(site: Site) -> Iterator[Item]:
    site.request("DELETE", site.base())
    yield _show(site.request("GET", f"/v2/{site.gun}/_trust/changefeed?records=10"))


SERVER_QUERIES = {
    "newest": "records=-3",
    "from-newest": "records=3&change_id=-1",
    "after": "records=10&change_id={0}",
    "before": "records=-2&change_id={3}",
    "none": "",
    "text": "records=x",
    "after-all": "records=1&change_id=1000000",
}

for name, query in SERVER_QUERIES.items():

    @case(f"changefeed/server/{name}")
    def ask_server(site: Site, query: str = query) -> Iterator[Item]:
        """The changes of two collections, one after the other."""
        site.published()
        site.published(gun=site.gun + "b")
        site.request("DELETE", site.base())
        path = f"/v2/{site.gun}/_trust/changefeed?records=10"
        first = int(site.request("GET", path).json["records"][0]["ID"]) - 1
        ids = [first + each for each in range(4)]
        answer = site.request("GET", f"/v2/_trust/changefeed?{query.format(*ids)}")
        yield _show(answer, first)
