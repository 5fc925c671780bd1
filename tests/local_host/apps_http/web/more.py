import azure.functions as func

bp = func.Blueprint()


@bp.route(route="orders/special", methods=["GET"])
def special_order(req: func.HttpRequest) -> str:
    return "special"


@bp.route(route="orders/{id:int}", methods=["GET"])
def read_order(req: func.HttpRequest) -> str:
    return f"read {req.route_params['id']}"


@bp.route(route="orders/{id:int}", methods=["PUT", "DELETE"])
def change_order(req: func.HttpRequest) -> str:
    return f"{req.method} {req.route_params['id']}"


@bp.route(route="orders/{name}", methods=["GET"])
def named_order(req: func.HttpRequest) -> str:
    return f"named {req.route_params['name']}"


@bp.route(route="files/{*path}")
def files(req: func.HttpRequest) -> str:
    return f"path={req.route_params.get('path')}"
