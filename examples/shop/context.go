package shop

// browsers' user agents; of the ten places phones have most.
var userAgents = [...]string{
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
	"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
	"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
}

var agentPlaces = [10]uint8{0, 0, 0, 1, 1, 2, 2, 3, 4, 5}

// machineAgents are the bots': two say so, one claims to be a browser.
var machineAgents = [...]string{
	"Mozilla/5.0 (compatible; ExampleBot/2.1; +http://example.org/bot)",
	"python-requests/2.32.3",
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
}

var campaigns = [...]struct{ source, medium, referrer string }{
	{}, {"newsletter", "email", ""}, {"search_ads", "cpc", "https://search.example.com/"},
	{"social", "social", "https://social.example.net/"}, {"affiliate", "affiliate", "https://deals.example.org/quillfern"},
}

// context is where the event was made.
func (x *writer) context() {
	x.put(`,"context":{"library":{"name":"`)
	switch x.e.source {
	case server:
		x.put(`analytics-node","version":"2.2.0"}`)
		if x.e.told&tellsMail != 0 {
			x.put(`,"traits":{"email":"`, x.address(), `"}`)
		}
		x.put(`},"channel":"server"`)
		return
	case app:
		x.phone()
	case web:
		x.put(`analytics.js","version":"2.8.1"}`)
		x.page()
		x.put(`,"userAgent":"`, x.agent(), `"`)
	}
	if c := campaigns[x.e.campaign]; c.source != "" {
		x.put(`,"campaign":{"source":"`, c.source, `","medium":"`, c.medium, `","name":"k`)
		x.integer(int(x.e.day) / 14)
		x.put(`"}`)
	}
	c := countries[x.p.country]
	x.put(`,"ip":"`)
	x.address4()
	x.put(`","locale":"`, c.locale, `","timezone":"`, c.zone, `","consent":{"categoryPreferences":{"Functional":true,"Analytics":`)
	allows := x.e.marks&noConsent == 0
	x.boolean(allows)
	x.put(`,"Advertising":`)
	x.boolean(allows)
	x.put(`}}}`)
}

// phone is the app's context.
func (x *writer) phone() {
	library, kind, maker, model, os := `analytics-swift","version":"1.5.11`, "ios", "Apple", "iPhone15,2", `iOS","version":"18.5`
	if x.p.android {
		library, kind, maker, model, os = `analytics-kotlin","version":"1.16.3`, "android", "Google", "Pixel 8", `Android","version":"15`
	}
	x.put(library, `"},"app":{"name":"Quillfern","version":"`, release(int(x.e.day)), `","namespace":"test.quillfern.shop"},"device":{"id":"`)
	x.uuid(x.e.device)
	x.put(`","type":"`, kind, `","manufacturer":"`, maker, `","model":"`, model, `"},"os":{"name":"`, os, `"}`)
}

// release of the app on a day.
func release(day int) string {
	switch back := History - day; {
	case back > wrongCase.back:
		return "3.1.4"
	case back > badRelease.back:
		return "3.2.1"
	case badRelease.has(day):
		return "3.4.0"
	case back > appOutage.back-appOutage.days:
		return "3.4.2"
	}
	return "3.5.0"
}

func (x *writer) page() {
	path, title := "/", "Quillfern"
	switch x.e.what {
	case pageSeen:
		path = [...]string{"/", "/new", "/sale", "/about", "/help"}[int(x.e.nth)%5]
	case listViewed:
		c := shelves[x.p.likes]
		path, title = "/c/"+c.slug, c.name
	case searched:
		path, title = "/search", "Search"
	case viewed, added:
		c := shelves[x.e.product/perCategory]
		path, title = "/c/"+c.slug+"/item", c.name
	case checkedOut, checkoutFailed:
		path, title = "/checkout", "Checkout"
	case ordered:
		path, title = "/thanks", "Thank you"
	case identified, grouped:
		path, title = "/account", "Your account"
	}
	x.put(`,"page":{"path":"`, path, `","url":"https://shop.quillfern.test`, path, `","title":"`, title, `"`)
	if from := campaigns[x.e.campaign].referrer; from != "" && x.e.what == pageSeen {
		x.put(`,"referrer":"`, from, `"`)
	}
	x.put(`}`)
}

func (x *writer) agent() string {
	if bot := x.n - x.w.botNumber(0); bot >= 0 {
		return machineAgents[bot%len(machineAgents)]
	}
	return userAgents[agentPlaces[scramble(x.e.device)%uint64(len(agentPlaces))]]
}

// address4 is the household's, of the ranges that are kept for documentation.
func (x *writer) address4() {
	h := scramble(uint64(x.p.household) + x.w.seed)
	x.put([...]string{"192.0.2.", "198.51.100.", "203.0.113."}[h%3])
	x.integer(int(h>>8%254) + 1)
}
