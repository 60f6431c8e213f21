-- What somebody would write who has nginx and no validating gateway: shape, ops, paths, a few values, the pair of states.
local cjson = require "cjson.safe"
local ops = { add = true, replace = true }
local states = {
  New = { Pending = true, Received = true }, Active = { Accepted = true },
  Closed = { Won = true, Lost = true, Declined = true, Expired = true },
}
local function refuse(why)
  ngx.status = 422
  ngx.header["Content-Type"] = "application/problem+json"
  ngx.print('{"status":422,"detail":"' .. why .. '"}')
  return ngx.exit(422)
end
local function text(value, most) return type(value) == "string" and #value <= most end
local function member(value)
  if type(value) ~= "table" then return false end
  for name, each in pairs(value) do
    if name ~= "email" and name ~= "firstName" and name ~= "lastName" and name ~= "phoneNumber" then return false end
    if not text(each, 256) then return false end
  end
  return true
end
local values = {
  ["/details/dealValue"] = function(value) return text(value, 64) and value:find("^%d+%.?%d*$") end,
  ["/details/notes"] = function(value) return text(value, 4096) end,
  ["/team/-"] = member,
  ["/status"] = function(value) return text(value, 64) end,
  ["/substatus"] = function(value) return text(value, 64) end,
}
local function fault(patch)
  if type(patch) ~= "table" or #patch == 0 or #patch > 1000 then return "not a patch" end
  local status, substatus
  for index = 1, #patch do
    local op = patch[index]
    if type(op) ~= "table" then return "not an op" end
    for name in pairs(op) do
      if name ~= "op" and name ~= "path" and name ~= "value" then return "unknown member" end
    end
    if not ops[op.op] then return "op not allowed" end
    local fits = type(op.path) == "string" and values[op.path]
    if not fits then return "path not allowed" end
    if not fits(op.value) then return "value does not fit" end
    if op.path == "/status" then status = op.value elseif op.path == "/substatus" then substatus = op.value end
  end
  if status and not (states[status] and states[status][substatus]) then return "no such state" end
end
return {
  run = function()
    ngx.req.read_body()
    local body = ngx.req.get_body_data()
    local patch = body and cjson.decode(body)
    local why = patch == nil and "not JSON" or fault(patch)
    if why then return refuse(why) end
  end,
}
