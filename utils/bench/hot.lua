-- SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
-- The cases of hot_cases.c in Lua, by the same methods, as somebody would write them for Lua. `i` is 0 to 15.
local abs, sqrt, floor, exp, log, huge = math.abs, math.sqrt, math.floor, math.exp, math.log, math.huge

local function quadratic_root(a, b, c)
  if a == 0 then return -c / b end
  local d = b * b - 4 * a * c
  if d < 0 then return 0 end
  local t = -(b + (b < 0 and -sqrt(d) or sqrt(d))) / 2
  local x, y = t / a, t == 0 and t / a or c / t
  if y < x then x, y = y, x end
  return x, y
end

function quadratic(i) return (quadratic_root(1, -9 - i, 8 + 0.5 * i)) end

local function cubic_roots(a, b, c, d)
  if d == 0 then return 0, quadratic_root(a, b, c) end
  local x = -(b / a) / 3
  local q1 = a * x + b
  local q2 = q1 * x + c
  local slope, value = (a * x + q1) * x + q2, q2 * x + d
  local t = value / a
  local side = t < 0 and -1 or 1
  local distance = abs(t) ^ (1 / 3)
  if -slope / a > 0 then distance = 1.324718 * math.max(distance, sqrt(-slope / a)) end
  local next = x - side * distance
  if next ~= x then
    for _ = 1, 200 do
      x = next
      q1 = a * x + b
      q2 = q1 * x + c
      slope = (a * x + q1) * x + q2
      value = q2 * x + d
      if slope ~= 0 then next = x - value / slope / 1.0000000000000002 end
      if side * next <= side * x then break end
    end
    if abs(a) * x * x > abs(d / x) then
      q2 = -d / x
      q1 = (q2 - c) / x
    end
  end
  local y, z = quadratic_root(a, q1, q2)
  return x, y, z
end

function cubic(i)
  local x, y, z = cubic_roots(1, -6, 11, -6 - 0.01 * i)
  if z == nil then return x end
  return math.min(x, y, z)
end

local function quartic_between(a, b, c, d, e, low, high)
  local function at(x) return (((a * x + b) * x + c) * x + d) * x + e end
  local rises = at(low) < 0
  local below, above, x = low, high, low + (high - low) / 2
  for _ = 1, 200 do
    local v = at(x)
    if v == 0 then return x end
    if (v < 0) == rises then below = x else above = x end
    local next = x - v / (((4 * a * x + 3 * b) * x + 2 * c) * x + d)
    if not (next > below and next < above) then next = below + (above - below) / 2 end
    if next == x or next == below or next == above then return next end
    x = next
  end
  return x
end

function quartic(i)
  local a, b, c, d, e = 1, -10, 35, -50, 24 + 0.01 * i
  local bound = 1 + math.max(abs(b), abs(c), abs(d), abs(e)) / abs(a)
  local turns = { cubic_roots(4 * a, 3 * b, 2 * c, d) }
  table.sort(turns)
  local function at(x) return (((a * x + b) * x + c) * x + d) * x + e end
  local roots, low = {}, -bound
  for k = 1, #turns + 1 do
    local high = turns[k] or bound
    if (at(low) < 0) ~= (at(high) < 0) then roots[#roots + 1] = quartic_between(a, b, c, d, e, low, high) end
    low = high
  end
  return roots[1] or 0
end

local function polynomial(i) return { -5 - i, -2, 0.5, 1, 0.25, 0.125, 0, 1 } end

function newton(i)
  local p, x = polynomial(i), 3
  for _ = 1, 100 do
    local value, slope = 0, 0
    for k = #p, 1, -1 do
      slope = slope * x + value
      value = value * x + p[k]
    end
    if value == 0 then return x end
    local change = value / slope
    if change ~= change or abs(change) == huge then return 0 end
    x = x - change
    if abs(change) <= 2 * 0x1p-53 * abs(x) then return x end
  end
  return 0
end

function chebyshev(i)
  local p, low, high, x = polynomial(i), -1, 1, 0.05 * i
  local t, b1, b2 = ((x - low) - (high - x)) / (high - low), 0, 0
  for k = #p, 2, -1 do b1, b2 = 2 * t * b1 - b2 + p[k], b1 end
  return t * b1 - b2 + p[1]
end

-- Lua has no lgamma: Lanczos' approximation.
local lanczos = { 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
  -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7 }
local function lgamma(x)
  x = x - 1
  local sum = 0.99999999999980993
  for k = 1, 8 do sum = sum + lanczos[k] / (x + k) end
  local t = x + 7.5
  return 0.91893853320467274 + (x + 0.5) * log(t) - t + log(sum)
end

function gamma(i)
  local a, x = 2 + 0.5 * i, 5
  local factor = exp(a * log(x) - x - lgamma(a))
  if x < a + 1 then
    local term = 1 / a
    local sum = term
    for n = 1, 20000 do
      term = term * (x / (a + n))
      sum = sum + term
      if term < sum * 0x1p-53 then break end
    end
    return sum * factor
  end
  local b, c, d = x + 1 - a, 1e300, 1 / (x + 1 - a)
  local h = d
  for n = 1, 20000 do
    local an = n * (a - n)
    b = b + 2
    d = an * d + b
    d = 1 / (abs(d) < 1e-300 and 1e-300 or d)
    c = b + an / c
    if abs(c) < 1e-300 then c = 1e-300 end
    h = h * (d * c)
    if abs(d * c - 1) <= 0x1p-52 then break end
  end
  return 1 - factor * h
end

function fraud(i)
  local amount, usual, age, hour, device = 20000 + 1000 * i, 3000, 20, i, i % 2 == 0
  local odds = -4.2
  if usual > 0 and amount > usual then odds = odds + 0.9 * log(amount / usual, 2) end
  if usual <= 0 and amount > 50000 then odds = odds + 1.1 end
  if age < 30 then odds = odds + (age < 2 and 1.6 or 0.8) end
  if hour > 1 then odds = odds + 0.8 * log(hour) end
  if device then odds = odds + 0.9 end
  return floor(100 / (1 + exp(-odds)) + 0.5)
end

local numbers = "4111111111111111378282246310005555555"
function luhn(i)
  local s, sum = numbers:sub(i + 1, i + 16), 0
  local n = #s
  for k = 1, n do
    local d = s:byte(k) - 48
    if d < 0 or d > 9 then return false end
    if (n - k) % 2 == 1 then d = d < 5 and 2 * d or 2 * d - 9 end
    sum = sum + d
  end
  return sum % 10 == 0
end

local lengths = { GB = 22, DE = 22, NO = 15, FR = 27, AT = 20, BE = 16, CH = 21, ES = 24, IT = 27, NL = 18, PL = 28 }
local ibans = { [0] = "GB29NWBK60161331926819", "DE89370400440532013000", "NO9386011117947", "FR1420041010050500013M02606" }
function iban(i)
  local s, rest = ibans[i % 4], 0
  local n = #s
  if n < 15 or n > 34 or lengths[s:sub(1, 2)] ~= n or not s:find("^%d%d", 3) then return false end
  for k = 0, n - 1 do
    local c = s:byte((k + 4) % n + 1)
    if c >= 48 and c <= 57 then
      rest = (rest * 10 + c - 48) % 97
    elseif c >= 65 and c <= 90 then
      rest = (rest * 100 + c - 55) % 97
    else
      return false
    end
  end
  return rest == 1
end

local addresses = { [0] = "ada.lovelace@example.org", "a@b", "grace+hopper@sub.example.co.uk", "x y@z.org" }
function email(i)
  local s = addresses[i % 4]
  if #s < 3 or #s > 254 then return false end
  local part, domain = s:match("^([%w!#$%%&'*+%-/=?^_`{|}~.]+)@([%w.-]+)$")
  if not part or #part > 64 or part:find("^%.") or part:find("%.$") or part:find("..", 1, true) then return false end
  local labels = 0
  for label in (domain .. "."):gmatch("([^.]*)%.") do
    if #label == 0 or #label > 63 or label:find("^-") or label:find("-$") then return false end
    labels = labels + 1
  end
  return labels >= 2
end

local spline_x = { 0, 1, 2, 3, 4, 5, 6, 7 }
local spline_y = { 0, 1, 0, 1, 0, 1, 0, 1 }
local second = { 0, -4, 5, -5, 5, -5, 4, 0 }
function spline(i)
  local x, low = 0.45 * i, 1
  for bit = 5, 0, -1 do
    local next = low + (1 << bit)
    if next <= 7 and spline_x[next] <= x then low = next end
  end
  local high = low + 1
  local h = spline_x[high] - spline_x[low]
  local rise = (spline_y[high] - spline_y[low]) / h
  if x < spline_x[low] then
    return spline_y[low] + (x - spline_x[low]) * (rise - h * (2 * second[low] + second[high]) / 6)
  elseif x > spline_x[high] then
    return spline_y[high] + (x - spline_x[high]) * (rise + h * (second[low] + 2 * second[high]) / 6)
  end
  local a, b = (spline_x[high] - x) / h, (x - spline_x[low]) / h
  return a * spline_y[low] + b * spline_y[high] + ((a * a * a - a) * second[low] + (b * b * b - b) * second[high]) * h * h / 6
end

function solve(i)
  local a = { { 0.5 + i, 2, 0, 1, 2 }, { 1, 0, 3, 0, 3 }, { 0, 1, 0, 4, 8 }, { 2, 0, 8, 1, 8 } }
  local scale, x = {}, {}
  for r = 1, 4 do
    local most = 0
    for k = 1, 4 do most = math.max(most, abs(a[r][k])) end
    if not (most > 0) then return 0 end
    scale[r] = most
  end
  for k = 1, 4 do
    local best = k
    for r = k + 1, 4 do
      if abs(a[r][k]) / scale[r] > abs(a[best][k]) / scale[best] then best = r end
    end
    if not (abs(a[best][k]) > 4 * 0x1p-52 * scale[best]) then return 0 end
    a[k], a[best] = a[best], a[k]
    scale[best] = scale[k]
    for r = k + 1, 4 do
      local factor = a[r][k] / a[k][k]
      for j = 1, 5 do a[r][j] = a[r][j] - factor * a[k][j] end
    end
  end
  for r = 4, 1, -1 do
    local rest = a[r][5]
    for j = r + 1, 4 do rest = rest - a[r][j] * x[j] end
    x[r] = rest / a[r][r]
  end
  return x[1]
end
