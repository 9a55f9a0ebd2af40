package prepare_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"kith/event"
	"kith/internal/jsonscan"
	"kith/prepare"
)

// traffic makes lines like those of a shop: 62 % track, 30 % page, 8 % identify, about 1 kB each.
func traffic(n int) (lines [][]byte, size int) {
	r := rand.New(rand.NewPCG(1, 2))
	agents := []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
	}
	uuid := func() string {
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))
	}
	for i := range n {
		var body string
		switch k := i % 100; {
		case k < 62:
			body = fmt.Sprintf(`"type":"track","event":"Product Viewed","properties":{"product_id":"SKU-%d","sku":"%d","category":"Shoes","name":"Trail runner no. %d","brand":"Quillfern","variant":"42","price":%d.%02d,"quantity":1,"currency":"EUR","position":%d,"in_stock":true}`,
				r.IntN(1e5), r.IntN(1e9), r.IntN(48), r.IntN(200), r.IntN(100), r.IntN(40))
		case k < 92:
			body = fmt.Sprintf(`"type":"page","name":"Product","properties":{"path":"/p/%d","url":"https://shop.example.com/p/%d","title":"Trail runner","referrer":"https://www.example.org/","search":""}`, r.IntN(1e5), r.IntN(1e5))
		default:
			body = fmt.Sprintf(`"type":"identify","traits":{"email":"person.%d@example.com","firstName":"Ada","lastName":"Fern","newsletter":true,"plan":"gold"}`, r.IntN(1e6))
		}
		ms := r.IntN(1000)
		line := fmt.Sprintf(`{"seq":%d,"received_at":1764032527%06d,"source":"web","source_id":3,"door":"batch","key":"k3","ip":"203.0.113.9","ua":"%s","sent_at":"2025-11-25T01:02:06.%03dZ","event":{%s,"messageId":"ajs-next-%d-%s","anonymousId":"%s","userId":"u-%d","timestamp":"2025-11-25T01:02:05.%03dZ","context":{"ip":"203.0.113.%d","userAgent":"%s","locale":"de-DE","timezone":"Europe/Berlin","library":{"name":"analytics.js","version":"npm:next-1.81.1"},"page":{"path":"/p/1","url":"https://shop.example.com/p/%d?utm_source=news&utm_medium=email&utm_campaign=k7","title":"Trail runner","referrer":"https://www.example.org/search?q=shoes","search":"?utm_source=news&utm_medium=email&utm_campaign=k7"},"screen":{"width":1920,"height":1080,"density":2},"consent":{"categoryPreferences":{"Functional":true,"Analytics":true,"Advertising":false}}},"integrations":{"All":true}}}`+"\n",
			i+1, r.IntN(1e6), agents[i%3], ms, body, 1764032525000+i, uuid(), uuid(), r.IntN(1e6), ms, r.IntN(255), agents[i%3], r.IntN(1e5))
		lines = append(lines, []byte(line))
		size += len(line)
	}
	return lines, size
}

// The stages add up: skip is what it costs to find the end of the line, read finds its members, line is all of it.
func BenchmarkLine(b *testing.B) {
	lines, size := traffic(100)
	p := prepare.New(prepare.Options{})
	var e event.Event
	var c jsonscan.Cursor
	for _, stage := range []struct {
		name string
		run  func(line []byte)
	}{
		{"skip", func(line []byte) { c.Reset(line); c.Skip() }},
		{"read", func(line []byte) { p.Read(line, &e) }},
		{"line", func(line []byte) { p.Line(line, &e) }},
	} {
		b.Run(stage.name, func(b *testing.B) {
			b.SetBytes(int64(size / len(lines)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n++; n == len(lines) {
					n = 0
					p.Reset()
				}
				stage.run(lines[n])
			}
		})
	}
	if o := p.Line(lines[0], &e); o.Result != event.Accepted {
		b.Fatal(o)
	}
}
