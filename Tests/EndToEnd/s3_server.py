"""An S3 server (moto's) on a free loopback port, which checks every signature with botocore and can misbehave.

Prints its port on a line of its own, and ends when its standard input does. `PUT /__faults` with a JSON list sets what happens to the next requests, one entry each:
{"status": 503}, {"delay": seconds}, {"cut": bytes of the answer after which the connection ends}, null (nothing).
With "method" in it, an entry is for that method alone. {"all": entry} instead of the list holds until the next setting; `GET /__requests` gives methods and paths so far, `GET /__bytes` how much was sent.
"""
import hashlib
import io
import json
import os
import sys
import threading
import time

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

ACCESS, SECRET, BUCKET = "AKIAMILLRACETESTS", "of/the+tests", "checkpoints"


class Broken(Exception):
    pass


class Faults:
    def __init__(self, store):
        self.store, self.lock = store, threading.Lock()
        self.next, self.all, self.requests, self.refused, self.sent = [], None, [], [], 0

    def __call__(self, environ, start):
        path = environ["PATH_INFO"]
        if path.startswith("/__"):
            return self.control(path, environ, start)
        with self.lock:
            fault = self.next.pop(0) if self.next else self.all
            self.requests.append(f"{environ['REQUEST_METHOD']} {environ['RAW_URI']}")
        fault = fault or {}
        if fault.get("method", environ["REQUEST_METHOD"]) != environ["REQUEST_METHOD"]:
            fault = {}
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        problem = self.signature_problem(environ, body)
        if problem:
            self.refused.append(problem)
            return self.error(start, 403, "SignatureDoesNotMatch", problem)
        if "delay" in fault:
            time.sleep(fault["delay"])
        if "status" in fault:
            return self.error(start, fault["status"], fault.get("code", "InternalError"), "as the test wants it")
        answer = self.store(environ, lambda status, headers, *more: start(status, self.counted(headers), *more))
        if "cut" in fault:
            return self.cut(answer, fault["cut"])
        return answer

    def counted(self, headers):
        size = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        with self.lock:
            self.sent += size
        return headers

    @staticmethod
    def cut(answer, count):
        whole = b"".join(answer)
        yield whole[:count]
        raise Broken("cut, as the test wants it")

    @staticmethod
    def error(start, status, code, text):
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()
        start(f"{status} Fault", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    def signature_problem(self, environ, body):
        """Signs the same request with botocore and compares."""
        given = environ.get("HTTP_AUTHORIZATION", "")
        if not given.startswith("AWS4-HMAC-SHA256 "):
            return "no signature"
        parts = dict(part.strip().split("=", 1) for part in given.split(" ", 1)[1].split(","))
        region = parts["Credential"].split("/")[2]
        headers = {name: environ["HTTP_" + name.upper().replace("-", "_")] for name in parts["SignedHeaders"].split(";")}
        digest = hashlib.sha256(body).hexdigest()
        if headers["x-amz-content-sha256"] != digest:
            return "the hash of the payload is wrong"
        request = AWSRequest(
            method=environ["REQUEST_METHOD"], url=f"http://{environ['HTTP_HOST']}{environ['RAW_URI']}", headers=headers, data=body)
        request.context["timestamp"] = headers["x-amz-date"]
        signer = S3SigV4Auth(Credentials(ACCESS, SECRET, headers.get("x-amz-security-token")), "s3", region)
        wanted = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        return None if wanted == parts["Signature"] else "the signature is wrong"

    def control(self, path, environ, start):
        if environ["REQUEST_METHOD"] == "PUT":
            faults = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            with self.lock:
                self.next, self.all = (faults, None) if isinstance(faults, list) else ([], faults["all"])
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"/__requests": self.requests, "/__bytes": self.sent}.get(path, self.refused)).encode()]


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def main():
    store = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, Faults(store), threaded=True, request_handler=Quiet)
    if "--bucket" in sys.argv:
        from moto.s3.models import s3_backends
        s3_backends["123456789012"]["aws"].create_bucket(BUCKET, "eu-central-1")
    # Ends with whoever holds the other end of its standard input.
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
