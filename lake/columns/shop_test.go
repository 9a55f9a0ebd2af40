package columns

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"kith/event"
)

// shop makes events like those of a web shop: 62 % track, 30 % page, 8 % identify, of 500,000 people of whom some come
// often and most seldom, with 3,000 user agents. The same seed makes the same events.
type shop struct {
	rand   *rand.Rand
	people *rand.Zipf
	agents []event.Agent
	next   event.Seq
	now    int64
}

func newShop(seed uint64) *shop {
	r := rand.New(rand.NewPCG(seed, 7))
	s := &shop{rand: r, people: rand.NewZipf(r, 1.05, 60, 500_000-1), next: 1}
	s.now = time.Date(2025, 11, 25, 0, 0, 0, 0, time.UTC).UnixMicro()
	browsers, systems, devices := []string{"Chrome", "Safari", "Firefox", "Edge", "Samsung Internet"}, []string{"Windows", "iOS", "Android", "macOS", "Linux"}, []string{"desktop", "phone", "tablet"}
	for i := range 3000 {
		s.agents = append(s.agents, event.Agent{
			Browser: browsers[i%len(browsers)], BrowserVersion: int32(80 + r.IntN(60)), OS: systems[i/5%len(systems)],
			OSVersion: fmt.Sprintf("%d.%d", 8+r.IntN(10), r.IntN(8)), Device: devices[i/25%len(devices)], Bot: i%100 == 99,
		})
	}
	return s
}

var categories = []string{"shoes", "shirts", "trousers", "jackets", "bags", "watches", "belts", "hats", "socks", "dresses"}

// event makes the next one, about 800 bytes as a client would send it.
func (s *shop) event() *event.Event {
	r := s.rand
	person := s.people.Uint64()
	of := rand.New(rand.NewPCG(person, 1)) // what never changes of a person
	s.now += int64(r.ExpFloat64() * 16)
	e := &event.Event{
		Seq: s.next, ReceivedAt: s.now, TS: s.now - int64(r.ExpFloat64()*2e6), SentAt: s.now - 50_000 - int64(r.IntN(400_000)),
		Source: event.Text("web"), SourceID: 3, Door: event.Text("batch"),
		MessageID: event.Text(uuid(r)), AnonymousID: event.Text(uuid(of)), Anchor: int64(person)*2 + 1, Person: int64(person)*2 + 1,
		Channel: event.Text("browser"), PageHost: event.Text("shop.example.com"), IP: event.Text(fmt.Sprintf("%d.%d.%d.%d", 20+of.IntN(180), of.IntN(256), of.IntN(256), of.IntN(256))),
		Agent: &s.agents[of.IntN(len(s.agents))], Locale: event.Text(pick(of, []string{"de-CH", "de-DE", "en-US", "fr-CH", "it-CH"})),
		Timezone: event.Text(pick(of, []string{"Europe/Zurich", "Europe/Berlin", "America/New_York"})),
		Library:  event.Text("analytics.js"), LibraryVersion: event.Text("2.1.0"), ScreenWidth: int32(pick(of, []int{390, 1440, 1920, 2560})), ScreenHeight: int32(pick(of, []int{844, 900, 1080, 1440})),
		Context: event.Text(fmt.Sprintf(`{"screen":{"density":%d},"network":{"wifi":%t}}`, 1+of.IntN(3), of.IntN(2) == 0)),
	}
	s.next++
	if of.IntN(100) < 35 {
		e.UserID = event.Text("u-" + strconv.FormatUint(person*7919%10_000_000, 10))
		e.Anchor++
	}
	if r.IntN(100) < 12 {
		e.UTMSource, e.UTMMedium = event.Text(pick(r, []string{"google", "newsletter", "instagram", "facebook"})), event.Text(pick(r, []string{"cpc", "email", "social"}))
		e.UTMCampaign = event.Text(fmt.Sprintf("autumn-%d", r.IntN(40)))
		e.Referrer, e.ReferrerHost = event.Text("https://www.google.com/"), event.Text("www.google.com")
		e.PageQuery = event.Text(fmt.Sprintf("utm_source=%s&utm_medium=%s&utm_campaign=%s", e.UTMSource, e.UTMMedium, e.UTMCampaign))
		if r.IntN(3) == 0 {
			e.ClickID = event.Text(fmt.Sprintf("Cj0KCQiA%x%x", r.Uint64(), r.Uint64()))
		}
	}
	product, category := r.IntN(4000), pick(r, categories)
	e.PagePath = event.Text(fmt.Sprintf("/%s/product-%d", category, product))
	e.PageTitle = event.Text(fmt.Sprintf("Product %d in %s | Example Shop", product, category))
	switch k := r.IntN(100); {
	case k < 62:
		s.track(e, product, category)
	case k < 92:
		e.Type, e.Name = event.Text("page"), event.Text(category)
		e.Properties = event.Text(fmt.Sprintf(`{"url":"https://shop.example.com%s","path":"%s","title":"%s","search":"%s"}`, e.PagePath, e.PagePath, e.PageTitle, e.PageQuery))
	default:
		e.Type = event.Text("identify")
		e.Traits = event.Text(fmt.Sprintf(`{"email":"user%d@example.com","firstName":"%s","plan":"%s","orders":%d}`, person, pick(of, categories), pick(of, []string{"free", "gold", "silver"}), of.IntN(30)))
	}
	return e
}

func (s *shop) track(e *event.Event, product int, category string) {
	r := s.rand
	price := int64(995+100*(product%180)) * 100
	e.Type, e.Event = event.Text("track"), event.Text(pick(r, []string{"Product Viewed", "Product Viewed", "Product Viewed", "Product List Viewed", "Product Added", "Cart Viewed", "Checkout Started", "Order Completed"}))
	e.ProductID, e.Category, e.Currency = event.Text(fmt.Sprintf("P-%05d", product)), event.Text(category), event.Text("CHF")
	e.Price = event.Money{Units: price, Set: true}
	e.Quantity = event.Number{Float: float64(1 + r.IntN(3)), Set: true}
	extra := ""
	if string(e.Event) == "Order Completed" {
		e.OrderID = event.Text(fmt.Sprintf("O-%d", 1_000_000+int(e.Seq)))
		e.Revenue = event.Money{Units: price * 2, Set: true}
		e.Total = event.Money{Units: price*2 + 79000, Set: true}
		extra = fmt.Sprintf(`,"order_id":"%s","revenue":%d.%02d`, e.OrderID, price*2/10000, price*2/100%100)
	}
	e.Properties = event.Text(fmt.Sprintf(`{"product_id":"%s","sku":"S-%d","name":"Product %d","category":"%s","price":%d.%02d,"quantity":%d,"currency":"CHF","position":%d%s}`,
		e.ProductID, product*3, product, category, price/10000, price/100%100, int(e.Quantity.Float), r.IntN(24), extra))
}

func uuid(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
