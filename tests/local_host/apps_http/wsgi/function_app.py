import azure.functions as func


def site(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    start_response("202 Accepted", [("Content-Type", "text/plain"), ("X-Path", environ["PATH_INFO"])])
    return [environ["REQUEST_METHOD"].encode(), b" ", body]


app = func.WsgiFunctionApp(app=site, http_auth_level=func.AuthLevel.ANONYMOUS)
