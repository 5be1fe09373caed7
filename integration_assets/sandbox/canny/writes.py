"""The documented write endpoints that change posts, votes, people and companies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from integration_assets.sandbox.canny import views
from integration_assets.sandbox.canny.body import FLAG, REQUIRED, TEXT, Field, RefusedError
from integration_assets.sandbox.canny.endpoints import Endpoint, existing, one_of
from integration_assets.sandbox.canny.records import Company, Post, User, slug
from integration_assets.sandbox.canny.workspace import Workspace

Json = dict[str, Any]
SUCCESS = "success"


# -- posts


def posts_create(workspace: Workspace, args: Json) -> Json:
    """A new post."""
    existing(workspace, workspace.users, args["authorID"], "author")
    existing(workspace, workspace.boards, args["boardID"], "board")
    if not args["title"].strip():
        raise RefusedError("invalid title")
    for name, records in (("byID", workspace.users), ("ownerID", workspace.users)):
        if name in args:
            existing(workspace, records, args[name], name.removesuffix("ID"))
    if "categoryID" in args:
        existing(workspace, workspace.categories, args["categoryID"], "category")
    created = args.get("createdAt", workspace.moment())
    post = workspace.add_post(
        Post(
            id=workspace.new_id(created),
            board_id=args["boardID"],
            title=args["title"],
            created=created,
            url_name=slug(args["title"]),
            author_id=args["authorID"],
            details=args["details"],
            by_id=args.get("byID"),
            owner_id=args.get("ownerID"),
            category_id=args.get("categoryID"),
            eta=_eta(args["eta"]) if "eta" in args else None,
            image_urls=args.get("imageURLs", []),
            custom_fields=_custom_fields(args),
        )
    )
    return {"id": post.id}


def posts_update(workspace: Workspace, args: Json) -> str:
    """Change the named parts of a post."""
    post = _post(workspace, args)
    workspace.version += 1
    if "title" in args:
        if not args["title"].strip():
            raise RefusedError("invalid title")
        post.title = args["title"]
    if "details" in args:
        post.details = args["details"]
    if "eta" in args:
        post.eta = _eta(args["eta"])
    if "ownerID" in args:
        post.owner_id = existing(workspace, workspace.users, args["ownerID"], "owner").id
    if "imageURLs" in args:
        post.image_urls = args["imageURLs"]
    if "customFields" in args:
        post.custom_fields = _custom_fields(args)
    return SUCCESS


def posts_delete(workspace: Workspace, args: Json) -> str:
    """Remove a post and everything on it."""
    workspace.delete_post(_post(workspace, args).id)
    return SUCCESS


def posts_change_status(workspace: Workspace, args: Json) -> Json:
    """Move a post to a status, built in or of the company's own."""
    post = _post(workspace, args)
    changer = existing(workspace, workspace.users, args["changerID"], "changer")
    if not args["status"].strip():
        raise RefusedError("invalid status")
    return views.post(workspace, workspace.change_status(post.id, changer.id, args["status"], args["commentValue"]))


def posts_change_category(workspace: Workspace, args: Json) -> Json:
    """Put a post into a category; the text `null` takes it out."""
    post = _post(workspace, args)
    wanted = args["categoryID"]
    workspace.version += 1
    post.category_id = None if wanted == "null" else existing(workspace, workspace.categories, wanted, "category").id
    return views.post(workspace, post)


def posts_add_tag(workspace: Workspace, args: Json) -> Json:
    """Put a tag on a post."""
    post = _post(workspace, args)
    tag = existing(workspace, workspace.tags, args["tagID"], "tag")
    workspace.version += 1
    if tag.id not in post.tag_ids:
        post.tag_ids.append(tag.id)
    return views.post(workspace, post)


def posts_remove_tag(workspace: Workspace, args: Json) -> Json:
    """Take a tag off a post."""
    post = _post(workspace, args)
    workspace.version += 1
    post.tag_ids = [known for known in post.tag_ids if known != args["tagID"]]
    return views.post(workspace, post)


def posts_merge(workspace: Workspace, args: Json) -> str:
    """Merge one post into another."""
    existing(workspace, workspace.users, args["mergerID"], "merger")
    merged = existing(workspace, workspace.posts, args["mergePostID"], "post")
    survivor = existing(workspace, workspace.posts, args["intoPostID"], "post")
    if merged.id == survivor.id:
        raise RefusedError("a post cannot be merged into itself")
    workspace.merge(merged.id, survivor.id)
    return SUCCESS


def _post(workspace: Workspace, args: Json) -> Post:
    return existing(workspace, workspace.posts, args["postID"], "post")


def _eta(value: str) -> str:
    """Given as `02/2027`, read back as `February 2027`."""
    try:
        return f"{datetime.strptime(value, '%m/%Y'):%B %Y}"  # noqa: DTZ007  a month has no time zone
    except ValueError:
        raise RefusedError("invalid eta") from None


def _custom_fields(args: Json) -> list[Json]:
    """Written as an object, read back as a list."""
    return [
        {"id": f"field-{name}", "name": name, "value": value} for name, value in args.get("customFields", {}).items()
    ]


# -- votes


def votes_create(workspace: Workspace, args: Json) -> str:
    """Vote for a person; nothing new when they voted before."""
    post = _post(workspace, args)
    voter = existing(workspace, workspace.users, args["voterID"], "voter")
    if "byID" in args:
        existing(workspace, workspace.users, args["byID"], "by")
    workspace.vote(post.id, voter.id, by_id=args.get("byID"))
    return SUCCESS


def votes_delete(workspace: Workspace, args: Json) -> str:
    """Take a person's vote away; nothing happens when there is none."""
    post = _post(workspace, args)
    vote_id = workspace.vote_of_pair.get((post.id, args["voterID"]))
    if vote_id is not None:
        workspace.delete_vote(vote_id)
    return SUCCESS


# -- people and companies


def users_create_or_update(workspace: Workspace, args: Json) -> Json:
    """A person by the customer's own id, else by e-mail address; the companies they name come into being."""
    known_id = workspace.user_of_custom_id.get(args["userID"])
    user = workspace.users[known_id] if known_id is not None else _by_email(workspace, args.get("email"))
    if user is None:
        created = args.get("created", workspace.moment())
        user = workspace.add_user(User(workspace.new_id(created), args["name"], created, user_id=args["userID"]))
    elif user.user_id != args["userID"]:
        user.user_id = args["userID"]
        workspace.user_of_custom_id[args["userID"]] = user.id
    user.name = args["name"]
    user.email = args.get("email", user.email)
    user.avatar_url = args.get("avatarURL", user.avatar_url)
    user.custom_fields |= args.get("customFields", {})
    for given in args.get("companies", []):
        workspace.join(user, _company(workspace, given).id)
    return {"id": user.id}


def _by_email(workspace: Workspace, email: str | None) -> User | None:
    if email is None:
        return None
    return next((user for user in workspace.users.values() if (user.email or "").lower() == email.lower()), None)


def _company(workspace: Workspace, given: Json) -> Company:
    if not isinstance(given.get("id"), str) or not given["id"] or not isinstance(given.get("name"), str):
        raise RefusedError("invalid companies")
    company = workspace.companies.get(given["id"])
    if company is None:
        company = workspace.add_company(Company(given["id"], given["name"], workspace.moment()))
    _update_company(company, given)
    return company


def _update_company(company: Company, given: Json) -> None:
    company.name = given.get("name", company.name)
    company.monthly_spend = given.get("monthlySpend", company.monthly_spend)
    company.custom_fields |= given.get("customFields", {})


def users_delete(workspace: Workspace, args: Json) -> str:
    """Remove a person, by Canny's id or the customer's own."""
    wanted: str = args[one_of(args, ("id", "userID"))]
    user_id = workspace.user_of_custom_id.get(wanted, wanted)
    workspace.delete_user(existing(workspace, workspace.users, user_id, "user").id)
    return SUCCESS


def companies_update(workspace: Workspace, args: Json) -> str:
    """Change a company."""
    _update_company(existing(workspace, workspace.companies, args["id"], "company"), args)
    return SUCCESS


def companies_delete(workspace: Workspace, args: Json) -> str:
    """Remove a company."""
    workspace.delete_company(existing(workspace, workspace.companies, args["id"], "company").id)
    return SUCCESS


def tags_create(workspace: Workspace, args: Json) -> Json:
    """A tag of a board; the one of that name when there is one."""
    existing(workspace, workspace.boards, args["boardID"], "board")
    return views.tag(workspace, workspace.add_tag(args["boardID"], args["name"]))


_POST_PARTS = {
    "customFields": Field("object"),
    "eta": TEXT,
    "etaPublic": FLAG,
    "ownerID": TEXT,
    "imageURLs": Field("texts"),
}

WRITES = {
    "v1/posts/create": Endpoint(
        posts_create,
        {
            "authorID": REQUIRED,
            "boardID": REQUIRED,
            "title": REQUIRED,
            "details": REQUIRED,
            "byID": TEXT,
            "categoryID": TEXT,
            "createdAt": Field("moment"),
            **_POST_PARTS,
        },
    ),
    "v1/posts/update": Endpoint(posts_update, {"postID": REQUIRED, "title": TEXT, "details": TEXT, **_POST_PARTS}),
    "v1/posts/delete": Endpoint(posts_delete, {"postID": REQUIRED}),
    "v1/posts/change_status": Endpoint(
        posts_change_status,
        {
            "postID": REQUIRED,
            "changerID": REQUIRED,
            "status": REQUIRED,
            "shouldNotifyVoters": Field("boolean", required=True),
            "commentValue": REQUIRED,
            "commentImageURLs": Field("texts"),
        },
    ),
    "v1/posts/change_category": Endpoint(posts_change_category, {"postID": REQUIRED, "categoryID": REQUIRED}),
    "v1/posts/add_tag": Endpoint(posts_add_tag, {"postID": REQUIRED, "tagID": REQUIRED}),
    "v1/posts/remove_tag": Endpoint(posts_remove_tag, {"postID": REQUIRED, "tagID": REQUIRED}),
    "v1/posts/merge": Endpoint(posts_merge, {"mergePostID": REQUIRED, "intoPostID": REQUIRED, "mergerID": REQUIRED}),
    "v1/votes/create": Endpoint(votes_create, {"postID": REQUIRED, "voterID": REQUIRED, "byID": TEXT}),
    "v1/votes/delete": Endpoint(votes_delete, {"postID": REQUIRED, "voterID": REQUIRED}),
    "v1/users/create_or_update": Endpoint(
        users_create_or_update,
        {
            "userID": REQUIRED,
            "name": REQUIRED,
            "email": TEXT,
            "companies": Field("objects"),
            "customFields": Field("object"),
            "created": Field("moment"),
            "avatarURL": TEXT,
        },
    ),
    "v1/users/delete": Endpoint(users_delete, {"id": TEXT, "userID": TEXT}),
    "v1/companies/update": Endpoint(
        companies_update,
        {"id": REQUIRED, "name": TEXT, "monthlySpend": Field("number"), "customFields": Field("object")},
    ),
    "v1/companies/delete": Endpoint(companies_delete, {"id": REQUIRED}),
    "v1/tags/create": Endpoint(tags_create, {"boardID": REQUIRED, "name": REQUIRED}),
}
