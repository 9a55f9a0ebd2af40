package shop

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

// What is sealed in the ids, and what the numbers in the others are of, tells the true owner.
func TestOwners(t *testing.T) {
	w := New(small())
	customers := 0
	read(t, w, func(l *Line, e map[string]any) {
		if l.Broken != "" {
			return
		}
		number, _, ok := w.MessageOwner(e["messageId"].(string))
		if !ok {
			t.Fatalf("no owner: %s", l.Text)
		}
		class, owner := Browser, number
		if id, given := e["anonymousId"].(string); given {
			if class, owner, ok = w.DeviceOwner(id); !ok {
				t.Fatalf("no owner of the device: %s", l.Text)
			}
		}
		if class == Browser && owner != number || class == Phone && owner != number {
			t.Errorf("device of %d, message of %d: %s", owner, number, l.Text)
		}
		if number >= 300 {
			return
		}
		customers++
		if id, given := e["userId"].(string); given {
			if n, ok := w.UserOwner(id); !ok || n != number {
				t.Errorf("user is of %d, message of %d: %s", n, number, l.Text)
			}
		}
		if properties, _ := e["properties"].(map[string]any); properties["order_id"] != nil {
			if n, _, ok := w.OrderOwner(properties["order_id"].(string)); !ok || n != number {
				t.Errorf("order is of %d, message of %d: %s", n, number, l.Text)
			}
		}
	})
	if customers < 10_000 {
		t.Errorf("only %d events of customers", customers)
	}
	for n := range 300 {
		p := w.birth(n)
		if owner, ok := w.MailOwner(w.mail(n, &p, n%2 == 0)); !ok || owner != n && !p.is(sharesMailbox) {
			t.Errorf("the mail of %d is of %d", n, owner)
		}
	}
	for _, id := range []string{"", "u", "uu", "Q", "Q!", "u999999999999999999999", "00000000-0000-1000-8000-000000000000", "00000000-0000-4000-8000-00000000000g"} {
		_, _, message := w.MessageOwner(id)
		_, _, order := w.OrderOwner(id)
		if _, user := w.UserOwner(id); message || order || user {
			t.Errorf("%q has an owner", id)
		}
	}
}

// Nothing in the data could be of a real person or reach a real host.
func TestOnlyDocumentationNames(t *testing.T) {
	host := regexp.MustCompile(`(?:https?://|@)([A-Za-z0-9.-]+)`)
	reserved := regexp.MustCompile(`(^|\.)(example\.(com|org|net)|test)$`)
	ranges := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24")}
	hosts := map[string]bool{}
	read(t, New(small()), func(l *Line, e map[string]any) {
		for _, m := range host.FindAllSubmatch(l.Text, -1) {
			hosts[string(m[1])] = true
		}
		context, _ := e["context"].(map[string]any)
		if text, given := context["ip"].(string); given {
			ip := netip.MustParseAddr(text)
			if !ranges[0].Contains(ip) && !ranges[1].Contains(ip) && !ranges[2].Contains(ip) {
				t.Errorf("address %s", ip)
			}
		}
		if traits, _ := e["traits"].(map[string]any); traits["phone"] != nil {
			if phone := traits["phone"].(string); !strings.HasPrefix(phone, "+49305550") && !strings.HasPrefix(phone, "+49151555") {
				t.Errorf("phone %s", phone)
			}
		}
	})
	if len(hosts) < 5 {
		t.Errorf("only the hosts %v", hosts)
	}
	for h := range hosts {
		if !reserved.MatchString(h) {
			t.Errorf("host %s", h)
		}
	}
}

// Whatever is sealed comes out again, and no text that is asked for its owner does harm.
func FuzzSeals(f *testing.F) {
	w := New(small())
	f.Add(uint64(0), "")
	f.Add(uint64(1<<60-1), "Q1y2p0ij32e8e7")
	f.Add(message(17, 4), string(w.appendUUID(nil, device(Phone, 17, 2))))
	f.Fuzz(func(t *testing.T, payload uint64, text string) {
		payload &= 1<<60 - 1
		id := string(w.appendUUID(nil, payload))
		if got, ok := w.open(id); !ok || got != payload || len(id) != 36 {
			t.Errorf("%d comes out of %s as %d", payload, id, got)
		}
		if n, nth, ok := w.MessageOwner(text); ok && string(w.appendUUID(nil, message(n, uint32(nth))))[20:] != strings.ToLower(text[20:]) {
			t.Errorf("%q is the message %d of %d", text, nth, n)
		}
		if n, nth, ok := w.OrderOwner(text); ok && (n < 0 || nth < 0) {
			t.Errorf("%q is the order %d of %d", text, nth, n)
		}
		for _, owner := range []func(string) (int, bool){w.UserOwner, w.MailOwner} {
			if n, ok := owner(text); ok && (n < 0 || n >= w.customers) {
				t.Errorf("%q is of %d", text, n)
			}
		}
	})
}
