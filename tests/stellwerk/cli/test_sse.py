"""Event streams as the standard has them."""

from stellwerk.cli.sse import ServerEvent, parse_events


def test_events_end_with_an_empty_line_and_may_have_several_data_lines() -> None:
    stream = "retry: 2000\n\nid: 3-0\nevent: status\ndata: {\ndata:  }\n\ndata:bare\n\n"
    assert list(parse_events(stream.split("\n"))) == [
        ServerEvent("status", "{\n }", "3-0"),
        ServerEvent("message", "bare", ""),
    ]


def test_comments_and_events_cut_short_are_left_out() -> None:
    stream = ": still here\n\nevent: end\ndata: never finished"
    assert list(parse_events(stream.split("\n"))) == []
