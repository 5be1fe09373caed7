"""The documented read endpoints: which keys each takes, how its answer is wrapped, and in which order records come."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from integration_assets.sandbox.canny import views
from integration_assets.sandbox.canny.body import (
    REQUIRED,
    TEXT,
    Field,
    RefusedError,
)
from integration_assets.sandbox.canny.endpoints import Endpoint, existing, one_of
from integration_assets.sandbox.canny.paging import (
    CURSOR_PAGE,
    SKIP_PAGE,
    Json,
    Keep,
    Walk,
    cursor_page,
    listed,
    skip_page,
)
from integration_assets.sandbox.canny.post_reads import posts_list, posts_retrieve
from integration_assets.sandbox.canny.timeline import Timeline
from integration_assets.sandbox.canny.workspace import Workspace

VOTE_FILTERS = {"boardID": TEXT, "companyID": TEXT, "postID": TEXT, "userID": TEXT}
COMMENT_FILTERS = {"postID": TEXT, "boardID": TEXT, "authorID": TEXT, "companyID": TEXT}


# -- boards


def boards_list(workspace: Workspace, _: Json) -> Json:
    """Every board, without paging."""
    return {"boards": [views.board(workspace, board) for board in workspace.boards.values()]}


def boards_retrieve(workspace: Workspace, args: Json) -> Json:
    """One board."""
    return views.board(workspace, existing(workspace, workspace.boards, args["id"], "board"))


# -- votes


def _votes(workspace: Workspace, args: Json) -> tuple[Walk, Keep | None, Callable[[str], Json]]:
    def show(vote_id: str) -> Json:
        return views.vote(workspace, workspace.votes[vote_id])

    if not args.keys() & VOTE_FILTERS.keys():
        return workspace.votes_in_order.newest_first, None, show
    members = workspace.members.get(args["companyID"], set()) if "companyID" in args else None
    board, voter = args.get("boardID"), args.get("userID")
    if board is not None:
        existing(workspace, workspace.boards, board, "board")
    if "postID" in args:
        if args["postID"] not in workspace.ghosts:
            existing(workspace, workspace.posts, args["postID"], "post")
        timeline = workspace.votes_of_post[args["postID"]]
    elif voter is not None or members is not None:
        timeline = _votes_of_people(workspace, [voter] if voter is not None else members or ())
    else:
        timeline = workspace.votes_of_board[args["boardID"]]

    def keep(vote_id: str) -> bool:
        vote = workspace.votes[vote_id]
        return (
            (voter is None or vote.voter_id == voter)
            and (members is None or vote.voter_id in members)
            and (board is None or workspace.post_of(vote).board_id == board)
        )

    return timeline.newest_first, keep if len(args.keys() & VOTE_FILTERS.keys()) > 1 else None, show


def _votes_of_people(workspace: Workspace, user_ids: Iterable[str]) -> Timeline:
    votes = (vote_id for user_id in user_ids for vote_id in workspace.votes_of_voter.get(user_id, ()))
    return Timeline((workspace.votes[vote_id].created, vote_id) for vote_id in votes)


def votes_list_v1(workspace: Workspace, args: Json) -> Json:
    """Votes, newest first, by skip."""
    votes, more = skip_page(*_walk_and(_votes(workspace, args), args))
    return {"votes": votes, "hasMore": more}


def votes_list_v2(workspace: Workspace, args: Json) -> Json:
    """Votes, newest first, by cursor."""
    return cursor_page("items", *_walk_and(_votes(workspace, args), args))


def votes_retrieve(workspace: Workspace, args: Json) -> Json:
    """One vote."""
    return views.vote(workspace, existing(workspace, workspace.votes, args["id"], "vote"))


def _walk_and(
    found: tuple[Walk, Keep | None, Callable[[str], Json]], args: Json
) -> tuple[Walk, Keep | None, Json, Callable[[str], Json]]:
    walk, keep, show = found
    return walk, keep, args, show


# -- users and companies


def users_list_v1(workspace: Workspace, args: Json) -> list[Json]:
    """People, newest first: a bare list, without a word on whether there are more."""
    walk = workspace.users_in_order.newest_first
    return skip_page(walk, None, args, lambda known: views.user(workspace, workspace.users[known]))[0]


def users_list_v2(workspace: Workspace, args: Json) -> Json:
    """People, newest first, by cursor."""
    walk = workspace.users_in_order.newest_first
    return cursor_page("users", walk, None, args, lambda known: views.user(workspace, workspace.users[known]))


def users_retrieve(workspace: Workspace, args: Json) -> Json:
    """One person, by exactly one of the three ways to name them."""
    name = one_of(args, ("id", "userID", "email"))
    if name == "id":
        user_id = args["id"]
    elif name == "userID":
        user_id = workspace.user_of_custom_id.get(args["userID"], "")
    else:
        wanted = args["email"].lower()
        users = workspace.users.values()
        user_id = next((user.id for user in users if user.email is not None and user.email.lower() == wanted), "")
    return views.user(workspace, existing(workspace, workspace.users, user_id, "user"))


def _companies(workspace: Workspace, args: Json) -> Keep | None:
    if "segment" in args:
        raise RefusedError("invalid segment")  # segments are made on Canny's web page only; this workspace has none
    search = args.get("search", "").lower()
    if not search:
        return None
    return lambda known: search in workspace.companies[known].name.lower()


def companies_list_v1(workspace: Workspace, args: Json) -> Json:
    """Companies by time of creation, by skip."""
    walk = workspace.companies_in_order.oldest_first
    show = _showing_company(workspace)
    companies, more = skip_page(walk, _companies(workspace, args), args, show)
    return {"companies": companies, "hasMore": more}


def companies_list_v2(workspace: Workspace, args: Json) -> Json:
    """Companies by time of creation, by cursor; a search is one page, whatever it leaves out."""
    walk = workspace.companies_in_order.oldest_first
    page = cursor_page("companies", walk, _companies(workspace, args), args, _showing_company(workspace))
    return page | {"hasNextPage": False, "cursor": None} if args.get("search") else page


def _showing_company(workspace: Workspace) -> Callable[[str], Json]:
    return lambda known: views.company(workspace, workspace.companies[known])


# -- comments and status changes


def _comments(workspace: Workspace, args: Json) -> tuple[Walk, Keep, Callable[[str], Json]]:
    members = workspace.members.get(args["companyID"], set()) if "companyID" in args else None

    def keep(comment_id: str) -> bool:
        comment = workspace.comments[comment_id]
        return (
            ("postID" not in args or comment.post_id == args["postID"])
            and ("authorID" not in args or comment.author_id == args["authorID"])
            and ("boardID" not in args or workspace.posts[comment.post_id].board_id == args["boardID"])
            and (members is None or comment.author_id in members)
        )

    return (
        workspace.comments_in_order.newest_first,
        keep,
        lambda known: views.comment(workspace, workspace.comments[known]),
    )


def comments_list_v1(workspace: Workspace, args: Json) -> Json:
    """Comments, newest first, by skip."""
    comments, more = skip_page(*_walk_and(_comments(workspace, args), args))
    return {"comments": comments, "hasMore": more}


def comments_list_v2(workspace: Workspace, args: Json) -> Json:
    """Comments, newest first, by cursor."""
    return cursor_page("items", *_walk_and(_comments(workspace, args), args))


def _changes(workspace: Workspace, args: Json) -> tuple[Walk, Keep | None, Callable[[str], Json]]:
    keep: Keep | None = None
    if "boardID" in args:
        board = existing(workspace, workspace.boards, args["boardID"], "board").id

        def keep(change_id: str) -> bool:
            return workspace.posts[workspace.status_changes[change_id].post_id].board_id == board

    return (
        workspace.changes_in_order.newest_first,
        keep,
        lambda known: views.status_change(workspace, workspace.status_changes[known]),
    )


def status_changes_list_v1(workspace: Workspace, args: Json) -> Json:
    """Status changes, newest first, by skip."""
    changes, more = skip_page(*_walk_and(_changes(workspace, args), args))
    return {"statusChanges": changes, "hasMore": more}


def status_changes_list_v2(workspace: Workspace, args: Json) -> Json:
    """Status changes, newest first, by cursor."""
    return cursor_page("items", *_walk_and(_changes(workspace, args), args))


# -- the small lists


def categories_list(workspace: Workspace, args: Json) -> Json:
    """Categories, newest first."""
    known = sorted(workspace.categories.values(), key=lambda category: (-category.created, category.id))
    asked = [views.category(workspace, one) for one in known if args.get("boardID", one.board_id) == one.board_id]
    return listed("categories", asked, args)


def categories_retrieve(workspace: Workspace, args: Json) -> Json:
    """One category."""
    return views.category(workspace, existing(workspace, workspace.categories, args["id"], "category"))


def tags_list(workspace: Workspace, args: Json) -> Json:
    """Tags, newest first."""
    known = sorted(workspace.tags.values(), key=lambda tag: (-tag.created, tag.id))
    asked = [views.tag(workspace, one) for one in known if args.get("boardID", one.board_id) == one.board_id]
    return listed("tags", asked, args)


def tags_retrieve(workspace: Workspace, args: Json) -> Json:
    """One tag."""
    return views.tag(workspace, existing(workspace, workspace.tags, args["id"], "tag"))


def opportunities_list(workspace: Workspace, args: Json) -> Json:
    """Opportunities linked to posts."""
    return listed("opportunities", [views.opportunity(one) for one in workspace.opportunities.values()], args)


def entries_list(_: Workspace, args: Json) -> Json:
    """Changelog entries: the workspace has none."""
    return listed("entries", [], args)


READS = {
    "v1/boards/list": Endpoint(boards_list, {}),
    "v1/boards/retrieve": Endpoint(boards_retrieve, {"id": REQUIRED}),
    "v1/posts/list": Endpoint(
        posts_list,
        {
            "boardID": TEXT,
            "authorID": TEXT,
            "companyID": TEXT,
            "tagIDs": Field("texts"),
            "search": TEXT,
            "status": TEXT,
            "sort": TEXT,
            **SKIP_PAGE,
        },
    ),
    "v1/posts/retrieve": Endpoint(posts_retrieve, {"id": TEXT, "urlName": TEXT, "boardID": TEXT}),
    "v1/votes/list": Endpoint(votes_list_v1, {**VOTE_FILTERS, **SKIP_PAGE}),
    "v2/votes/list": Endpoint(votes_list_v2, {**VOTE_FILTERS, **CURSOR_PAGE}),
    "v1/votes/retrieve": Endpoint(votes_retrieve, {"id": REQUIRED}),
    "v1/users/list": Endpoint(users_list_v1, SKIP_PAGE),
    "v2/users/list": Endpoint(users_list_v2, CURSOR_PAGE),
    "v1/users/retrieve": Endpoint(users_retrieve, {"id": TEXT, "userID": TEXT, "email": TEXT}),
    "v1/companies/list": Endpoint(companies_list_v1, {"search": TEXT, "segment": TEXT, **SKIP_PAGE}),
    "v2/companies/list": Endpoint(companies_list_v2, {"search": TEXT, "segment": TEXT, **CURSOR_PAGE}),
    "v1/comments/list": Endpoint(comments_list_v1, {**COMMENT_FILTERS, **SKIP_PAGE}),
    "v2/comments/list": Endpoint(comments_list_v2, {**COMMENT_FILTERS, **CURSOR_PAGE}),
    "v1/status_changes/list": Endpoint(status_changes_list_v1, {"boardID": TEXT, **SKIP_PAGE}),
    "v2/status_changes/list": Endpoint(status_changes_list_v2, {"boardID": TEXT, **CURSOR_PAGE}),
    "v1/categories/list": Endpoint(categories_list, {"boardID": TEXT, **SKIP_PAGE}),
    "v1/categories/retrieve": Endpoint(categories_retrieve, {"id": REQUIRED}),
    "v1/tags/list": Endpoint(tags_list, {"boardID": TEXT, **SKIP_PAGE}),
    "v1/tags/retrieve": Endpoint(tags_retrieve, {"id": REQUIRED}),
    "v1/opportunities/list": Endpoint(opportunities_list, SKIP_PAGE),
    "v1/entries/list": Endpoint(entries_list, {"type": TEXT, "labelIDs": Field("texts"), "sort": TEXT, **SKIP_PAGE}),
}
