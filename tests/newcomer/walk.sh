#!/bin/bash
# walk.sh - orders and payments from an empty folder to a changed system, as a reader of the guide
# built them. Runs in the folder it is started in, with leat installed, KAFKA, STORE_URL and
# HTTP_LISTEN set, the foreign topic made, and PRODUCE <key> <json> to put a record into it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
api=http://$HTTP_LISTEN
pid=

start() {
    leat run >run.log 2>&1 &
    pid=$!
    within "curl -sf $api/readyz"
}
stop() {
    kill "$pid"
    wait "$pid"
    pid=
}
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true' EXIT

# refused <exit code> <command...>
refused() {
    local want=$1 got=0
    shift
    "$@" || got=$?
    [ "$got" = "$want" ] || { echo "exit $got, expected $want: $*"; exit 1; }
}
within() {
    local i
    for ((i = 0; i < 300; i++)); do
        if eval "$1" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    echo "not within 30 s: $1"
    tail -n 3 run.log
    exit 1
}
# said <text> <command...>: its output holds the text
said() {
    local want=$1 out
    shift
    out=$("$@") || { echo "exit $?: $*"; exit 1; }
    grep -qF -- "$want" <<<"$out" || { echo "'$want' is not in the answer of $*: $out"; exit 1; }
}
line() { printf '{"sku":"S1","quantity":%d,"price_cents":%d}' "$1" "$2"; }

echo "== check, build, test"
cp -r "$here"/start/. .
said "leat.yaml: ok" leat check
cmake -S . -B build >cmake.log
cmake --build build >build.log
said "13 passed, 0 failed" leat test

echo "== apply, run"
leat apply >apply.log
leat plan --exit-code >plan.log
start

echo "== commands"
order="{\"order_id\":\"a1\",\"customer_id\":\"ada\",\"currency\":\"EUR\",
    \"lines\":[$(line 2 1000)]}"
said "accepted PlaceOrder" leat send PlaceOrder "$order" --wait 20s
refused 3 leat send PlaceOrder "$order" --wait 20s
said "accepted TakePayment" leat send TakePayment \
    '{"payment_id":"pa1","order_id":"a1","currency":"EUR","amount_cents":2000}' --wait 20s
$PRODUCE pa1 '{"payment_id": "pa1", "outcome": "OK"}'
within 'leat get orders a1 --json | grep -q "\"paid\""'
said '"OrderPlaced"' curl -s -H 'Prefer: wait=10' -d \
    "{\"order_id\":\"h1\",\"customer_id\":\"ada\",\"currency\":\"EUR\",\"lines\":[$(line 1 5)]}" \
    "$api/v1/commands/PlaceOrder"
said '"status":422' curl -s -H 'Prefer: wait=10' -d '{"order_id":"nope"}' \
    "$api/v1/commands/CancelOrder"

echo "== import"
leat import orders.jsonl --command PlaceOrder >import.log
leat import pay.csv --command TakePayment --map payment=payment_id >>import.log
within 'leat stream payment-p2'
$PRODUCE p1 '{"payment_id": "p1", "outcome": "OK"}'
$PRODUCE p2 '{"payment_id": "p2", "outcome": "REFUSED"}'
within 'leat get orders i02 --json | grep -q cancelled'
within 'leat get orders i01 --json | grep -q "\"paid\""'

echo "== look"
said a1 leat list orders --index by_status --from paid --to paid
said EUR leat list revenue
said a1 leat list --query OrdersOf customer=ada
said '"rows"' curl -s "$api/v1/queries/OrdersOf?customer=bob&limit=1"
said OrderPaid leat stream order-a1
leat lag >look.log
leat status >>look.log
leat doctor >>look.log
leat replay orders >>look.log
leat replay revenue >>look.log
said PAID leat replay --stream order-i01

echo "== change"
stop
cp -r "$here"/changed/. .
refused 1 leat apply >refused.log 2>&1
sed -i 's/, "CHF"\]/]/' schemas/Currency.avsc # the enum gets its default first,
leat apply >apply.log
cp "$here"/changed/schemas/Currency.avsc schemas/ # then the symbol
leat apply >apply.log
cmake --build build >build.log
said "13 passed, 0 failed" leat test
start
within 'leat get orders a1 --json | grep -q "\"channel\": *\"web\""'
said "accepted PlaceOrder" leat send PlaceOrder "{\"order_id\":\"n1\",\"customer_id\":\"eve\",
    \"currency\":\"CHF\",\"channel\":\"phone\",\"lines\":[$(line 1 5)]}" --wait 20s
within 'leat get orders n1'
said n1 leat list orders --index by_channel --from phone --to phone
leat replay orders >>look.log
said PAID leat replay --stream order-a1
leat plan --exit-code >plan.log
stop
echo "== done"
