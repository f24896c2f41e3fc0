-- KeyAuth's chatsend as a rooms message and back, in nginx: what Sabir does with its mappings, written by hand.
local cjson = require "cjson.safe"
local ffi = require "ffi"
ffi.cdef [[
    const void *EVP_sha256(void);
    unsigned char *HMAC(const void *, const void *, int, const unsigned char *, size_t, unsigned char *, unsigned int *);
]]
local capture = ngx.location.capture
local digest, length, pairs_of = ffi.new("unsigned char[32]"), ffi.new("unsigned int[1]"), {}
for byte = 0, 255 do
    pairs_of[byte] = string.format("%02x", byte)
end
local sealing, letters = "@enckey@-@secret@", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

local function nonce()
    local made = {}
    for at = 1, 32 do
        local letter = math.random(62)
        made[at] = letters:sub(letter, letter)
    end
    return table.concat(made)
end

local function hex()
    local made = {}
    for at = 0, 31 do
        made[at + 1] = pairs_of[digest[at]]
    end
    return table.concat(made)
end

local function answer(success, message)
    local body = cjson.encode { success = success, message = message, nonce = nonce() }
    ffi.C.HMAC(ffi.C.EVP_sha256(), sealing, #sealing, body, #body, digest, length)
    ngx.header["Content-Type"] = "application/json; charset=utf-8"
    ngx.header["Access-Control-Allow-Origin"] = "*"
    ngx.header["signature"] = hex()
    ngx.header["Content-Length"] = #body
    ngx.print(body)
end

return function()
    ngx.req.read_body()
    local form = ngx.req.get_post_args()
    if form.ownerid ~= "@ownerid@" or form.name ~= "bench" then
        return answer(false, "KeyAuth_Invalid")
    end
    local user = form.sessionid and ngx.shared.sessions:get(form.sessionid)
    if not user then
        return answer(false, "Session is not validated.")
    end
    if form.type ~= "chatsend" or not form.channel or not form.message or #form.message > 2000 then
        return answer(false, "Unhandled Type")
    end
    local now = ngx.now() * 1000
    local reply = capture("/chat-messages", {
        method = ngx.HTTP_POST,
        body = cjson.encode { room = form.channel, text = form.message, createdAt = now },
    })
    local message = reply.status < 300 and cjson.decode(reply.body)
    if not message or not message.id then
        return answer(false, "The message could not be sent")
    end
    return answer(true, "Successfully sent chat message")
end
