package prepare_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kith/event"
	"kith/prepare"

	"pgregory.net/rapid"
)

// Every column of every accepted event is what encoding/json and the plain rules say. The agent is not compared: what
// a user agent means is somebody else's list.
func TestEveryColumnIsWhatEncodingJSONSays(t *testing.T) {
	p := prepare.New(prepare.Options{Agents: 16, Earliest: time.Date(-9999, 1, 1, 0, 0, 0, 0, time.UTC)})
	var e event.Event
	rapid.Check(t, func(t *rapid.T) {
		line := lineGen(t)
		if o := p.Line([]byte(line), &e); o.Result != event.Accepted {
			t.Fatalf("%v\n%s", o, line)
		}
		e.Agent = nil
		got, want := describe(&e), oracle(line)
		for _, field := range []string{"Properties", "Traits", "Context"} {
			if got[field] != "" {
				got[field] = canonical(decode(got[field]))
			}
		}
		if !reflect.DeepEqual(got, want) {
			for field := range want {
				if got[field] != want[field] {
					t.Logf("%s: got %q, want %q", field, got[field], want[field])
				}
			}
			for field := range got {
				if _, ok := want[field]; !ok {
					t.Logf("%s: got %q, want nothing", field, got[field])
				}
			}
			t.Fatalf("%s", line)
		}
		if rapid.Bool().Draw(t, "reset") {
			p.Reset()
		}
	})
}

// members writes an object of generated members, in a generated order; a nil generator's member is left out.
func members(t *rapid.T, label string, all map[string]func(*rapid.T) string) string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "{}"
	}
	// Maps have no order: sort first, so that rapid can replay.
	slices.Sort(names)
	names = rapid.Permutation(names).Draw(t, label)
	var b strings.Builder
	space := rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "space")
	for _, name := range names[:rapid.IntRange(0, len(names)).Draw(t, label+" members")] {
		fmt.Fprintf(&b, `,%s%s%s:%s`, space, quote(t, name), space, all[name](t))
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + space + "}"
}

// quote writes a string, now and then with escapes that nobody needs.
func quote(t *rapid.T, s string) string {
	if rapid.IntRange(0, 9).Draw(t, "escape") > 0 {
		b, _ := json.Marshal(s)
		return string(b)
	}
	var b strings.Builder
	for _, r := range s {
		if r > 0xffff {
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04X`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return `"` + b.String() + `"`
}

func textGen(t *rapid.T) string {
	return quote(t, rapid.StringOfN(rapid.SampledFrom([]rune("aB1 é😀\"\\/\n,:{}[]K\u212a")), 0, 12, -1).Draw(t, "text"))
}

func numberGen(t *rapid.T) string {
	if rapid.Bool().Draw(t, "whole") {
		return strconv.Itoa(rapid.IntRange(-3, 3000).Draw(t, "int"))
	}
	n := rapid.StringMatching(`-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,7})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
	return n
}

// anyGen is a value of any type.
func anyGen(t *rapid.T) string {
	switch rapid.IntRange(0, 7).Draw(t, "type") {
	case 0:
		return rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "word")
	case 1:
		return rapid.SampledFrom([]string{`[]`, `[1,{"a":"]"}]`, `{}`, `{"email":"x","name":[{}]}`}).Draw(t, "nested")
	case 2, 3:
		return numberGen(t)
	}
	return textGen(t)
}

// emailGen leaves out the characters that unicode.ToLower and strings.ToLower see differently: there are none here.
func emailGen(t *rapid.T) string {
	return rapid.SampledFrom([]string{`"ada@example.com"`, `" Ada@Example.COM\t"`, `"ÄDA@example.com\u00a0"`, `""`, `"  "`, `null`, `7`, `{}`}).Draw(t, "email")
}

func urlGen(t *rapid.T) string {
	pick := func(all ...string) string { return rapid.SampledFrom(all).Draw(t, "part") }
	host := pick("", "https://shop.example.com", "http://Shop.Example.com:8080", "app+x://u:p@host", "//cdn.example.com")
	path := pick("", "/", "/p/1", "/a//b")
	var query []string
	for range rapid.IntRange(0, 4).Draw(t, "parameters") {
		query = append(query, pick("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "gclid", "q")+pick("=", "=a", "=b+c", "=d%20%C3%A9", ""))
	}
	if host == "" && path == "/a//b" {
		path = "/a/b" // url.Parse is as right as we are, but says it differently
	}
	u := host + path
	if len(query) > 0 {
		u += "?" + strings.Join(query, "&")
	}
	return quote(t, u+pick("", "#", "#top?x=1"))
}

func timeGen(t *rapid.T) string {
	zone := rapid.SampledFrom([]string{"Z", "+01:00", "-09:30"}).Draw(t, "zone")
	fraction := rapid.SampledFrom([]string{"", ".1", ".123", ".123456789"}).Draw(t, "fraction")
	switch rapid.IntRange(0, 4).Draw(t, "time") {
	case 0:
		return strconv.Itoa(1764032527000 + rapid.IntRange(-200_000_000, 200_000_000).Draw(t, "ms"))
	case 1:
		return fmt.Sprintf(`"%04d-02-28T23:59:59%s%s"`, rapid.IntRange(1991, 2200).Draw(t, "year"), fraction, zone)
	case 2:
		return rapid.SampledFrom([]string{"null", `""`}).Draw(t, "none")
	}
	return fmt.Sprintf(`"2025-11-25T%02d:%02d:07%s%s"`, rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute"), fraction, zone)
}

func constant(s string) func(*rapid.T) string { return func(*rapid.T) string { return s } }

// or is a generator's value, or now and then one of another type.
func or(g func(*rapid.T) string) func(*rapid.T) string {
	return func(t *rapid.T) string {
		if rapid.IntRange(0, 7).Draw(t, "other type") == 0 {
			return anyGen(t)
		}
		return g(t)
	}
}

func object_(label string, all map[string]func(*rapid.T) string) func(*rapid.T) string {
	return func(t *rapid.T) string { return members(t, label, all) }
}

func channelGen(t *rapid.T) string {
	return rapid.SampledFrom([]string{`"server"`, `"browser"`, `1`, `null`}).Draw(t, "channel")
}

func contextGen(t *rapid.T) string {
	named := map[string]func(*rapid.T) string{"name": anyGen, "version": anyGen, "build": anyGen}
	return members(t, "context", map[string]func(*rapid.T) string{
		"ip": anyGen, "userAgent": anyGen, "locale": anyGen, "timezone": anyGen, "sessionId": anyGen, "groupId": anyGen,
		"channel": anyGen, "library": or(object_("library", named)), "app": or(object_("app", named)), "os": or(object_("os", named)),
		"device":   or(object_("device", map[string]func(*rapid.T) string{"id": anyGen, "type": anyGen, "model": anyGen})),
		"screen":   or(object_("screen", map[string]func(*rapid.T) string{"width": anyGen, "height": numberGen, "density": anyGen})),
		"campaign": or(object_("campaign", map[string]func(*rapid.T) string{"name": anyGen, "source": anyGen, "medium": anyGen, "term": anyGen, "content": anyGen, "id": anyGen})),
		"page":     or(pageGen),
		"traits":   or(object_("traits", map[string]func(*rapid.T) string{"email": emailGen, "plan": anyGen})),
		"consent":  anyGen, "network": anyGen, "a": anyGen, "é\n": anyGen,
	})
}

func pageGen(t *rapid.T) string {
	return members(t, "page", map[string]func(*rapid.T) string{
		"url": urlGen, "path": anyGen, "search": constant(`"?utm_term=x&q"`), "title": anyGen, "referrer": urlGen, "initial": anyGen,
	})
}

func propertiesGen(t *rapid.T) string {
	return members(t, "properties", map[string]func(*rapid.T) string{
		"revenue": or(numberGen), "total": or(numberGen), "price": or(numberGen), "value": or(numberGen), "quantity": or(numberGen),
		"currency": anyGen, "product_id": anyGen, "order_id": anyGen, "category": anyGen, "coupon": anyGen,
		"url": urlGen, "path": anyGen, "title": anyGen, "search": anyGen, "referrer": urlGen, "x": anyGen, "y": anyGen,
	})
}

func lineGen(t *rapid.T) string {
	door := rapid.SampledFrom([]string{"events", "import"}).Draw(t, "door")
	sort := rapid.SampledFrom([]string{"track", "identify", "page", "screen", "group", "alias"}).Draw(t, "type")
	body := members(t, "event", map[string]func(*rapid.T) string{
		"name": anyGen, "messageId": anyGen, "userId": anyGen, "anonymousId": anyGen, "previousId": anyGen, "groupId": anyGen,
		"channel":   channelGen,
		"timestamp": timeGen, "originalTimestamp": timeGen, "sentAt": or(timeGen), "integrations": anyGen, "extra": anyGen,
		"context": or(contextGen), "properties": or(propertiesGen),
		"traits": or(object_("traits", map[string]func(*rapid.T) string{"email": emailGen, "name": anyGen})),
	})
	event := fmt.Sprintf(`{"type":%s,"event":"x"`, quote(t, sort))
	if inside := strings.TrimSpace(body[1 : len(body)-1]); inside != "" {
		event += "," + inside
	}
	event += "}"
	line := fmt.Sprintf(`{"seq":%d,"received_at":1764032527123456,"source":"web","source_id":3,"door":%q`, rapid.IntRange(1, 1<<40).Draw(t, "seq"), door)
	optional := func(name string, g func(*rapid.T) string) {
		if rapid.Bool().Draw(t, name) {
			line += fmt.Sprintf(`,%q:%s`, name, g(t))
		}
	}
	optional("ip", constant(`"203.0.113.9"`))
	optional("ua", constant(`"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"`))
	optional("sent_at", timeGen)
	optional("claimed_at", constant("1764032520000000"))
	optional("batch", func(t *rapid.T) string { return `{"integrations":{},"context":` + contextGen(t) + `}` })
	return line + `,"event":` + event + "}\n"
}
