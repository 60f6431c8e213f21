"""The programs that are compared, each with its configuration."""
import glob, json, os, subprocess
from machine import HERE, OTHERS, PROXY, ROOT, WORK, Program

API, API_TLS = 9800, 9843
MODULES = "load_module /usr/lib/nginx/modules/ndk_http_module.so; load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;"
POLICY = ROOT / "config/policies/partner-center-referrals.yaml"
REFERRAL = json.dumps({
    "id": "c1d7c9d3-6a5c-4b55-a0ea-1f4a7fdc7cda", "name": "Contoso renews", "status": "Active", "substatus": "Accepted",
    "type": "Independent", "qualification": "SalesQualified", "createdDateTime": "2026-01-01T00:00:00Z",
    "updatedDateTime": "2026-01-02T00:00:00Z", "details": {"notes": "Called.", "dealValue": "10000", "currency": "USD"},
    "customerProfile": {"name": "Contoso", "address": {"country": "US"}},
    "consent": {"consentToShareReferralWithMicrosoftSellers": True},
    "team": [{"email": f"user{index}@contoso.com", "firstName": "Jane", "lastName": "Doe", "phoneNumber": "0000000001"}
             for index in range(8)]})
port = iter(range(9850, 12000))


def filled(name, folder, **words):
    text = (HERE / "peers" / name).read_text()
    for word, value in words.items():
        text = text.replace(f"@{word}@", str(value))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    (folder / name).write_text(text)
    return folder / name


def certificate():
    """One for 127.0.0.1, which is its own authority."""
    if not (WORK / "tls.pem").exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", WORK / "tls.key", "-out", WORK / "tls.pem", "-days", "30", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-addext", "basicConstraints=critical,CA:FALSE"], check=True, capture_output=True)
    return f"ssl_certificate {WORK}/tls.pem; ssl_certificate_key {WORK}/tls.key; ssl_session_cache off; ssl_protocols TLSv1.2 TLSv1.3;"


def nginx(name, at, core, http="", server="", listen="", modules="", workers=1):
    folder = WORK / f"{name}-{at}"
    path = filled("nginx.conf", folder, FOLDER=folder, PORT=at, WORKERS=workers, HTTP=http, SERVER=server,
                  LISTEN=listen, MODULES=modules)
    return ["nginx", "-p", folder, "-c", path, "-e", folder / "error.log"], at, core


def api(at, tls):
    """The API: answers every PATCH with 204, and every GET with a referral and its tag."""
    documents = WORK / "documents"
    documents.mkdir(exist_ok=True)
    (documents / "referral.json").write_text(REFERRAL)
    server = (f"{certificate()} root {documents}; etag on; default_type application/json; open_file_cache max=9;"
              "location / { if ($request_method = PATCH) { return 204; } rewrite ^ /referral.json break; }")
    argv, at, core = nginx("api", at, OTHERS, server=server, listen="ssl" if tls else "")
    return Program("api", argv, at, core)


def proxying(checks="", tls_up=False):
    scheme, to = ("https", API_TLS) if tls_up else ("http", API)
    http = f"upstream up {{ server 127.0.0.1:{to}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 600s; }}"
    more = "proxy_ssl_session_reuse on; proxy_ssl_verify off; proxy_ssl_protocols TLSv1.3;" if tls_up else ""
    server = (f"location / {{ proxy_pass {scheme}://up; proxy_http_version 1.1; proxy_set_header Connection \"\";"
              f"proxy_set_header Host $http_host; {more} {checks} }}")
    return http, server


def plain_nginx(name="nginx", tls_up=False, tls=False, h2=False, workers=1):
    http, server = proxying(tls_up=tls_up)
    listen = ("ssl http2" if h2 else "ssl") if tls else ""
    return nginx(name, next(port), PROXY, http, (certificate() if tls else "") + server, listen, workers=workers)


def nginx_lua():
    http, server = proxying('limit_req zone=callers burst=1000000 nodelay; proxy_set_header Request-ID $request_id;'
                            'access_by_lua_block { check.run() }')
    http += (f'limit_req_zone $http_authorization zone=callers:10m rate=1000000r/s; lua_package_path "{HERE}/peers/?.lua;;";'
             'init_by_lua_block { require "resty.core"; check = require "check" }')
    return nginx("nginx-lua", next(port), PROXY, http, server, modules=MODULES)


def haproxy(name="haproxy", checks=""):
    at = next(port)
    path = filled("haproxy.cfg", WORK / f"{name}-{at}", PORT=at, API=API, CHECKS=checks)
    return ["haproxy", "-db", "-f", path], at, PROXY


def haproxy_json():
    return haproxy("haproxy-json", "\n  ".join([
        "option http-buffer-request", "http-request track-sc0 req.hdr(Authorization) table callers",
        "http-request deny deny_status 429 if { sc_http_req_rate(0,callers) gt 100000000 }",
        "unique-id-format %[uuid()]", "http-request set-header Request-ID %[unique-id]",
        "http-request deny deny_status 422 if { req.body,json_query('$[0].op') -m str remove }"]))


BUFFERED = """\
                  - name: envoy.filters.http.buffer
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
                      max_request_bytes: 1048576
                  - name: envoy.filters.http.local_ratelimit
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
                      stat_prefix: callers
                      token_bucket: { max_tokens: 1000000000, tokens_per_fill: 1000000000, fill_interval: 1s }
                      filter_enabled: { default_value: { numerator: 100, denominator: HUNDRED } }
                      filter_enforced: { default_value: { numerator: 100, denominator: HUNDRED } }
"""


def envoy(name="envoy", filters=""):
    at = next(port)
    path = filled("envoy.yaml", WORK / f"{name}-{at}", PORT=at, API=API, FILTERS=filters,
                  CHECKED="true" if filters else "false")
    program = glob.glob(os.environ["BENCH_PYTHON"] + "/lib/python*/site-packages/envoy/_bin/envoy")[0]
    return [program, "-c", path, "--concurrency", 1, "--log-level", "error", "--disable-hot-restart", "--base-id", at], at, PROXY


def fastify():
    at = next(port)
    return ["node", os.environ["BENCH_NODE"] + "/fastify.mjs", at, API], at, PROXY


def patchgate(policy=POLICY, name="patchgate", tls_up=False, tls=False, more="", workers=1, log=True):
    """With everything on that is on by default, the shipped policy, limits that nobody meets, and an access log in a file."""
    at, admin = next(port), next(port)
    upstream = f'{{ url: "https://localhost:{API_TLS}", ca_file: {WORK}/tls.pem }}' if tls_up else f'{{ url: "http://127.0.0.1:{API}" }}'
    callers = f"tls: {{ certificate: {WORK}/tls.pem, key: {WORK}/tls.key }}\n" if tls else ""
    if tls or tls_up:
        certificate()
    path = WORK / f"{name}-{at}.yaml"
    limits = "" if "limits:" in more else "limits: { tiers: { standard: { requests: [1000000/1s] } } }\n"
    path.write_text(
        "apiVersion: patchgate/v1\nkind: Gateway\n"
        f"listen: 127.0.0.1:{at}\nadmin: {{ listen: 127.0.0.1:{admin} }}\nworkers: {workers}\n"
        f"policy: {policy}\nupstream: {upstream}\n{callers}{limits}"
        "bounds: { connections: 25000, connections_per_address: 25000, in_flight: 10000 }\n"
        f"log: {{ access: {WORK / f'{name}-{at}.log' if log else 'off'} }}\n{more}")
    return [os.environ["PATCHGATE"], "run", "--config", path], at, PROXY


def roomy():
    """The shipped policy, with room for a patch of hundreds of ops."""
    text = POLICY.read_text().replace("../../schemas/", f"{ROOT}/schemas/")
    path = WORK / "roomy.yaml"
    path.write_text(text.replace("    state: fetch\n", "    state: fetch\n    bounds: { ops: 1000 }\n", 1))
    return path


def start(name, described, env=None):
    argv, at, core = described
    return Program(name, argv, at, core, env)
