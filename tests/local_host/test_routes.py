from urllib.parse import unquote

import pytest

from local_host.routes import Route, RouteTable, TemplateError, parse_template


def match(template: str, path: str) -> dict[str, str] | None:
    return parse_template(template).match([unquote(part) for part in path.split("/")] if path else [])


MATCHES = [
    ("orders", "orders", {}),
    ("Orders/List", "orders/LIST", {}),
    ("/orders/", "orders", {}),
    ("orders/{id}", "orders/a b", {"id": "a b"}),
    ("orders/{id}", "orders/a%2Fb", {"id": "a/b"}),
    ("orders/{id?}", "orders", {}),
    ("orders/{id?}", "orders/1", {"id": "1"}),
    ("orders/{id=7}", "orders", {"id": "7"}),
    ("orders/{id:int=7}", "orders/8", {"id": "8"}),
    ("{a=1}/{b=2}", "", {"a": "1", "b": "2"}),
    ("{a}/{b?}", "x", {"a": "x"}),
    ("x/{id:int}", "x/-12", {"id": "-12"}),
    ("x/{id:long}", "x/9223372036854775807", {"id": "9223372036854775807"}),
    ("x/{id:guid}", "x/0f8fad5b-d9cb-469f-a165-70867728950e", {"id": "0f8fad5b-d9cb-469f-a165-70867728950e"}),
    ("x/{id:guid}", "x/0f8fad5bd9cb469fa16570867728950e", {"id": "0f8fad5bd9cb469fa16570867728950e"}),
    ("x/{flag:bool}", "x/TRUE", {"flag": "TRUE"}),
    ("x/{name:alpha}", "x/Rick", {"name": "Rick"}),
    ("x/{price:decimal}", "x/49.99", {"price": "49.99"}),
    ("x/{weight:double}", "x/1.2e-3", {"weight": "1.2e-3"}),
    ("x/{weight:float}", "x/-1,001.0", {"weight": "-1,001.0"}),
    ("x/{day:datetime}", "x/2016-12-31", {"day": "2016-12-31"}),
    ("x/{day:datetime}", "x/2016-12-31T07:32:00Z", {"day": "2016-12-31T07:32:00Z"}),
    ("x/{day:datetime}", "x/12-31-2016 7:32pm", {"day": "12-31-2016 7:32pm"}),
    ("x/{n:min(1)}", "x/1", {"n": "1"}),
    ("x/{n:max(9)}", "x/9", {"n": "9"}),
    ("x/{n:range(1,9)}", "x/5", {"n": "5"}),
    ("x/{s:length(3)}", "x/abc", {"s": "abc"}),
    ("x/{s:length(1, 5)}", "x/abcde", {"s": "abcde"}),
    ("x/{s:minlength(2):maxlength(3)}", "x/ab", {"s": "ab"}),
    ("x/{s:required}", "x/a", {"s": "a"}),
    ("x/{s:alpha:length(2)?}", "x", {}),
    (r"x/{ssn:regex(^\d{{3}}-\d{{2}}$)}", "x/123-45", {"ssn": "123-45"}),
    (r"x/{s:regex(^(a|b):[c/d]$)}", "x/a:d", {"s": "a:d"}),
    (r"x/{s:regex(^\(\w+\)$):minlength(4)}", "x/(ab)", {"s": "(ab)"}),
    (r"x/{s:regex(B)}", "x/abc", {"s": "abc"}),
    ("files/{*path}", "files/a/b.txt", {"path": "a/b.txt"}),
    ("files/{**path}", "files/a/b", {"path": "a/b"}),
    ("files/{*path}", "files", {}),
    ("files/{*path=all}", "files", {"path": "all"}),
    ("{*path}", "", {}),
    ("{*path:regex(^a)}", "a/b", {"path": "a/b"}),
    ("{name}.{ext}", "report.final.pdf", {"name": "report.final", "ext": "pdf"}),
    ("{name}.{ext?}", "report", {"name": "report"}),
    ("{name}.{ext?}", "report.pdf", {"name": "report", "ext": "pdf"}),
    ("a-{x:int}", "A-1", {"x": "1"}),
    ("{a}-{b}-{c}", "1-2-3-4", {"a": "1-2", "b": "3", "c": "4"}),
    ("{{literal}}", "{literal}", {}),
    ("", "", {}),
]

MISSES = [
    ("orders", "orders/1"),
    ("orders/{id}", "orders"),
    ("orders/{id:int}", "orders/x"),
    ("orders/{id:int?}", "orders/x"),
    ("orders/{id?}", "orders/1/2"),
    ("x/{id:int}", "x/2147483648"),
    ("x/{id:int}", "x/٣"),
    ("x/{id:long}", "x/9223372036854775808"),
    ("x/{id:guid}", "x/0f8fad5b"),
    ("x/{flag:bool}", "x/yes"),
    ("x/{name:alpha}", "x/a1"),
    ("x/{price:decimal}", "x/1e3"),
    ("x/{price:decimal}", "x/."),
    ("x/{day:datetime}", "x/yesterday"),
    ("x/{n:min(1)}", "x/0"),
    ("x/{n:max(9)}", "x/10"),
    ("x/{n:range(1,9)}", "x/10"),
    ("x/{s:length(3)}", "x/abcd"),
    ("x/{s:length(1,5)}", "x/abcdef"),
    ("x/{s:minlength(2)}", "x/a"),
    ("x/{s:maxlength(2)}", "x/abc"),
    (r"x/{ssn:regex(^\d{{3}}-\d{{2}}$)}", "x/123-456"),
    ("{*path:regex(^a)}", "b/a"),
    ("{name}.{ext}", "report"),
    ("a-{x}", "a-"),
    ("x/{s:int:range(1,9)}", "x/12"),
]


@pytest.mark.parametrize(("template", "path", "values"), MATCHES)
def test_a_path_that_fits_gives_its_parameters(template, path, values):
    assert match(template, path) == values


@pytest.mark.parametrize(("template", "path"), MISSES)
def test_a_path_that_does_not_fit_gives_nothing(template, path):
    assert match(template, path) is None


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{a}{b}", "in a row"),
        ("{a", "not closed"),
        ("a}", "do not match"),
        ("{a}/{A}", "'A' occurs twice"),
        ("{*a}/b", "must be the last"),
        ("x{*a}", "must be the last"),
        ("a//b", "two slashes"),
        ("{a:nosuch}", "'nosuch' does not exist"),
        ("{a:int(3)}", "'int(3)' does not exist"),
        ("{a:range(1)}", "does not exist"),
        ("{a:min(x)}", "whole numbers"),
        ("{a:length(3}", "no closing bracket"),
        ("a?b", "question mark"),
        ("{*a?}", "cannot be optional"),
        ("{}", "no name"),
        ("{a?}.x", "must end its segment"),
        ("x-{a?}", "single '.'"),
        ("{a:regex()}", "needs a pattern"),
        ("{a:regex([)}", "is wrong"),
    ],
)
def test_a_template_that_aspnet_refuses_is_refused_with_the_reason(template, reason):
    with pytest.raises(TemplateError, match="is not valid") as refused:
        parse_template(template)
    assert reason in str(refused.value)
    assert repr(template) in str(refused.value)


def find(method: str, path: str, *routes: tuple[str, str]) -> str | None:
    table = RouteTable(Route(parse_template(t), frozenset(m.split()), f"{m} {t}".strip()) for m, t in routes)
    found = table.find(method, path.split("/"))
    return found[0].target if found else None


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("a/special", "a/special"),
        ("a/5", "a/{id:int}"),
        ("a/x.y", "a/{n}.{e}"),
        ("a/other", "a/{name}"),
        ("a/b/c", "a/{*rest:minlength(3)}"),
        ("a/b", "a/{name}"),
        ("z", "{*rest}"),
        ("special/x", "{x}/x"),
    ],
)
def test_the_most_specific_route_wins_whatever_the_order(path, wanted):
    templates = ["{*rest}", "a/{*rest:minlength(3)}", "a/{name}", "{x}/x", "a/{n}.{e}", "a/{id:int}", "a/special"]
    assert find("GET", path, *(("", t) for t in templates)) == wanted
    assert find("GET", path, *(("", t) for t in reversed(templates))) == wanted


def test_functions_share_a_route_by_their_methods():
    routes = [("GET", "orders/{id}"), ("PUT DELETE", "orders/{key}"), ("", "{*rest}")]
    assert find("GET", "orders/1", *routes) == "GET orders/{id}"
    assert find("delete", "orders/1", *routes) == "PUT DELETE orders/{key}"
    assert find("PATCH", "orders/1", *routes) == "{*rest}"
    assert find("PATCH", "orders/1", *routes[:2]) is None
