package prepare_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The oracle prepares a line by encoding/json and the rules of the package comment, one rule a line, without a thought
// for speed. It knows accepted events only.

type object = map[string]any

func decode(text string) (o object) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		panic(fmt.Sprintf("%v: %s", err, text))
	}
	return o
}

// textOf is a string, or a number as it is written.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return string(v)
	}
	return ""
}

func fits(v any) bool {
	_, isNumber := v.(json.Number)
	_, isText := v.(string)
	return isNumber || isText || v == nil
}

func isObject(v any) bool { _, ok := v.(object); return ok }

// unitsOf rounds to ten-thousandths, half away from zero; more than 18 digits are none.
func unitsOf(v any) (units int64, ok bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	r, _ := new(big.Rat).SetString(string(n))
	r.Mul(r, big.NewRat(10000, 1))
	half := big.NewRat(1, 2)
	if r.Sign() < 0 {
		half.Neg(half)
	}
	r.Add(r, half)
	whole := new(big.Int).Quo(r.Num(), r.Denom()) // towards zero
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil)
	return whole.Int64(), whole.CmpAbs(limit) < 0
}

func oracle(line string) described {
	l := decode(line)
	e, _ := l["event"].(object)
	batch, _ := l["batch"].(object)
	d := described{}
	set := func(field, text string) {
		if text != "" {
			d[field] = text
		}
	}
	set("Seq", textOf(l["seq"]))
	set("SourceID", textOf(l["source_id"]))
	for field, member := range map[string]string{"Source": "source", "Door": "door"} {
		set(field, textOf(l[member]))
	}
	for field, member := range map[string]string{
		"Type": "type", "Event": "event", "Name": "name", "MessageID": "messageId", "UserID": "userId",
		"AnonymousID": "anonymousId", "PreviousID": "previousId", "GroupID": "groupId", "Channel": "channel",
	} {
		set(field, textOf(e[member]))
	}
	if d["MessageID"] == "" {
		d["MessageID"] = "seq:" + textOf(l["seq"])
	}
	context := object{}
	for _, from := range []any{batch["context"], e["context"]} { // the event's own lies over the request's
		from, _ := from.(object)
		for name, value := range from {
			context[name] = value
		}
	}
	oracleContext(d, set, l, e, context)
	oracleProperties(d, set, e["properties"])
	oracleTime(d, l, e)
	return d
}

// take removes a member that a column holds and returns it as text.
func take(o object, name string) string {
	v, ok := o[name]
	if ok && fits(v) {
		delete(o, name)
	}
	return textOf(v)
}

// within copies an inner object, so that take may empty it.
func within(o object, name string) object {
	inner := object{}
	from, _ := o[name].(object)
	for k, v := range from {
		inner[k] = v
	}
	return inner
}

// without puts what is left of an inner object back.
func without(o object, name string, inner object) {
	if v, ok := o[name]; ok && (v == nil || isObject(v)) {
		delete(o, name)
		if len(inner) > 0 {
			o[name] = inner
		}
	}
}

func oracleContext(d described, set func(field, text string), l, e, context object) {
	for field, member := range map[string]string{"IP": "ip", "Locale": "locale", "Timezone": "timezone", "ClientSessionID": "sessionId"} {
		set(field, take(context, member))
	}
	take(context, "userAgent")
	group, channel := take(context, "groupId"), take(context, "channel")
	if d["GroupID"] == "" {
		set("GroupID", group)
	}
	if d["Channel"] == "" {
		set("Channel", channel)
	}
	if d["IP"] == "" && d["Channel"] != "server" {
		set("IP", textOf(l["ip"]))
	}
	for field, member := range map[string]string{"Library": "library", "App": "app", "": "os"} {
		inner := within(context, member)
		name, version := take(inner, "name"), take(inner, "version")
		if field != "" {
			set(field, name)
			set(field+"Version", version)
		}
		without(context, member, inner)
	}
	screen := within(context, "screen")
	for field, member := range map[string]string{"ScreenWidth": "width", "ScreenHeight": "height"} {
		n, isNumber := screen[member].(json.Number)
		length, err := strconv.ParseFloat(string(n), 64)
		if ok := isNumber && err == nil && length >= 0 && length < 1<<31; ok || screen[member] == nil {
			delete(screen, member)
			if ok && math.Floor(length) != 0 {
				d[field] = strconv.Itoa(int(length))
			}
		}
	}
	without(context, "screen", screen)
	without(context, "device", within(context, "device")) // kept whole
	oraclePerson(d, set, e, context)
	oraclePage(d, set, e, context)
	if len(context) > 0 {
		d["Context"] = canonical(context)
	}
}

func oraclePerson(d described, set func(field, text string), e, context object) {
	address := func(traits any) string {
		o, _ := traits.(object)
		email, _ := o["email"].(string)
		return strings.ToLower(strings.TrimSpace(email))
	}
	isGroup := e["type"] == "group"
	if !isGroup {
		set("Email", address(e["traits"]))
	}
	if d["Email"] == "" {
		set("Email", address(context["traits"]))
	}
	if isObject(e["traits"]) {
		d["Traits"] = canonical(e["traits"])
	}
	if traits, ok := context["traits"]; ok && traits == nil {
		delete(context, "traits")
	} else if isObject(traits) && d["Traits"] == "" && !isGroup {
		d["Traits"] = canonical(traits)
		delete(context, "traits")
	}
}

func oraclePage(d described, set func(field, text string), e, context object) {
	page, campaign := within(context, "page"), within(context, "campaign")
	said := map[string]string{}
	properties, _ := e["properties"].(object)
	for _, member := range []string{"url", "path", "search", "title", "referrer"} {
		said[member] = take(page, member)
		if said[member] == "" && e["type"] == "page" {
			said[member] = textOf(properties[member])
		}
	}
	without(context, "page", page)
	set("PageTitle", said["title"])
	set("Referrer", said["referrer"])
	if u, err := url.Parse(said["referrer"]); err == nil {
		set("ReferrerHost", strings.ToLower(u.Host))
	}
	u, err := url.Parse(said["url"])
	if err != nil {
		panic(err) // the test makes URLs that are valid
	}
	set("PageHost", strings.ToLower(u.Host))
	path := u.EscapedPath()
	if u.Host != "" && path == "" {
		path = "/"
	}
	if set("PagePath", path); said["path"] != "" {
		d["PagePath"] = said["path"]
	}
	if set("PageQuery", u.RawQuery); u.RawQuery == "" {
		set("PageQuery", strings.TrimPrefix(said["search"], "?"))
	}
	hasCampaign := false
	utm := map[string]string{"UTMSource": "source", "UTMMedium": "medium", "UTMCampaign": "name", "UTMTerm": "term", "UTMContent": "content"}
	for field, member := range utm {
		set(field, take(campaign, member))
		hasCampaign = hasCampaign || d[field] != ""
	}
	without(context, "campaign", campaign)
	query, _ := url.ParseQuery(d["PageQuery"])
	if !hasCampaign {
		for field, member := range utm {
			if field == "UTMCampaign" {
				member = "campaign"
			}
			for _, value := range query["utm_"+member] {
				if d[field] == "" {
					set(field, value)
				}
			}
		}
	}
	for _, id := range query["gclid"] {
		if id != "" && d["ClickID"] == "" {
			d["ClickID"] = "gclid=" + id
		}
	}
}

func oracleProperties(d described, set func(field, text string), v any) {
	properties, ok := v.(object)
	if !ok {
		return
	}
	d["Properties"] = canonical(properties)
	for field, member := range map[string]string{
		"Currency": "currency", "ProductID": "product_id", "OrderID": "order_id", "Category": "category", "Coupon": "coupon",
	} {
		set(field, textOf(properties[member]))
	}
	for field, member := range map[string]string{"Revenue": "revenue", "Total": "total", "Price": "price", "Value": "value"} {
		if units, ok := unitsOf(properties[member]); ok {
			d[field] = describeMoney(units)
		}
	}
	if n, ok := properties["quantity"].(json.Number); ok {
		if f, err := n.Float64(); err == nil {
			d["Quantity"] = strconv.FormatFloat(f, 'g', -1, 64)
		}
	}
}

func oracleTime(d described, l, e object) {
	const (
		latest = 253402300800 * 10_000_000 // the end of the year 9999, in tenths of a microsecond
		minute = 60_000_000
		day    = 24 * 60 * minute
	)
	timeOf := func(v any) (us int64, ok bool) {
		switch v := v.(type) {
		case string:
			t, err := time.Parse(time.RFC3339Nano, v)
			return t.UnixMicro(), err == nil
		case json.Number:
			units, ok := unitsOf(v)
			us := new(big.Int).Div(big.NewInt(units), big.NewInt(10)) // rounds down
			return us.Int64(), ok && units > -latest && units < latest
		}
		return 0, false
	}
	number := func(v any) int64 {
		n, _ := v.(json.Number)
		us, _ := n.Int64()
		return us
	}
	received := number(l["received_at"])
	claimed := l["claimed_at"] != nil
	if claimed {
		received = number(l["claimed_at"])
	}
	d["ReceivedAt"] = describeTime(received)
	sent, isSent := timeOf(e["sentAt"])
	ownSent := e["sentAt"] != nil && e["sentAt"] != ""
	if !ownSent {
		sent, isSent = timeOf(l["sent_at"])
	}
	isSent = isSent && sent != 0 // some clients write 0 for none
	if isSent {
		d["SentAt"] = describeTime(sent)
	}
	own, hasTime := timeOf(e["timestamp"])
	if !hasTime {
		own, hasTime = timeOf(e["originalTimestamp"])
	}
	ts := received
	if hasTime {
		d["HasTime"], d["OwnTS"] = "true", describeTime(own)
		ts = own
		if off := received - sent; isSent && (ownSent || !claimed) && (off > minute || off < -minute) {
			ts = own + off
			d["TimeFix"], d["OriginalTS"] = "skew", describeTime(own)
		}
		if ts > received+day {
			ts = received
			d["TimeFix"], d["OriginalTS"] = "future", describeTime(own)
		}
	}
	d["TS"] = describeTime(ts)
}

// canonical is JSON with sorted members, so that texts which say the same are the same.
func canonical(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}
