-- wrk: one request again and again, which `LOAD` describes; the figures are one line of JSON at the end.
local function read(name)
  local file = assert(io.open(os.getenv(name), "rb"))
  local text = file:read("*a")
  file:close()
  return text
end
wrk.method = os.getenv("LOAD_METHOD")
wrk.path = os.getenv("LOAD_PATH")
if os.getenv("LOAD_BODY") ~= "" then
  wrk.body = read("LOAD_BODY")
  wrk.headers["Content-Type"] = "application/json"
end
wrk.headers["Authorization"] = "Bearer eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhIn0.sig"
-- Of so many documents in turn, where that is asked for.
local ids, next_id, requests = tonumber(os.getenv("LOAD_IDS")), 0, {}
if ids > 0 then
  function init()
    for id = 0, ids - 1 do requests[id] = wrk.format(nil, wrk.path:sub(1, -13) .. string.format("%012d", id)) end
  end
  function request()
    next_id = (next_id + 1) % ids
    return requests[next_id]
  end
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\n{"requests":%d,"us":%d,"p50":%d,"p99":%d,"status":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
