package shop

// kind of customer. It is hidden: no event names it, only the truth does.
type kind uint8

const (
	devoted   kind = iota // orders often, opens every mail; an unsolved ticket drives them away
	regular               // buys in regular gaps; late parcels
	bargain               // coupons, sales, sorts by price; price rises
	fitter                // clothes and shoes in edge sizes, returns a third; sizes out of stock
	appNative             // lives in the app; its errors
	box                   // has the coffee box, in the morning
	gifter                // buys for Christmas, in May and in February; looks lost every summer
	tryer                 // came by an advertisement, buys once
	kinds
)

func (k kind) String() string {
	return [...]string{"devoted", "regular", "bargain", "fitter", "app_native", "box", "gifter", "tryer"}[k]
}

// reason for leaving. The first ones come from exposures: incidents that are remembered for some weeks.
type reason uint8

const (
	lateParcel reason = iota
	unsolvedTicket
	priceRise
	outOfStock
	appError
	exposures    // how many there are
	lostInterest = exposures
	triedOnce    = exposures + 1
)

const (
	halfLife    = 14  // days after which half of an exposure is forgotten
	maxMemory   = 400 // days after which all of it is
	maxExposure = 2.5
)

type rhythm uint8

const (
	random rhythm = iota
	even          // the longer ago the last order, the sooner the next
	clumpy        // one order brings another
)

// traits are what a kind is like. All rates are per day.
type traits struct {
	share       float64
	gap, shape  float64 // mean days between orders; shape of the gamma distribution of the rate between people
	lost        float64 // mean chance to be lost right after the first order
	base        float64 // hazard of losing interest
	hurt        [exposures]float64
	visits      float64
	items       float64 // more than the first, in a basket
	level       float64 // how dear things are that they look at, logarithmic
	app, store  float64 // share of visits in the app, of orders in a shop; the others are on the web
	refunds     float64
	women       float64
	fade        float64 // days over which visits fade after leaving
	rhythm      rhythm
	taste       [categories]float64
	newsletter  float64
	hour        float64 // of the day at which they come
	accountRate float64
}

// traitsOf the kinds: all that makes one differ from the others.
var traitsOf = [kinds]traits{
	devoted: {.08, 32, 2.5, .12, .0006, [exposures]float64{.012, .110, .002, .006, .004}, .20, 1.5, .35, .15, .25, .06, .60, 14, even,
		[categories]float64{3, 1, 1, 2, 2, 2, 1, 1}, .75, 19, .95},
	regular: {.21, 52, 1.8, .28, .0010, [exposures]float64{.085, .060, .002, .006, .006}, .11, 1.1, .1, .12, .22, .07, .54, 14, even,
		[categories]float64{2, 2, 1, 2, 2, 2, 1, 1}, .50, 20, .72},
	bargain: {.18, 60, 1.2, .34, .0012, [exposures]float64{.012, .022, .022, .006, .004}, .13, 1.6, -.5, .16, .10, .08, .52, 20, clumpy,
		[categories]float64{2, 2, 2, 1, 1, 1, 1, 1}, .62, 21, .72},
	fitter: {.13, 48, 1.5, .28, .0010, [exposures]float64{.015, .036, .002, .075, .006}, .17, .9, .45, .20, .10, .30, .74, 10, random,
		[categories]float64{5, 4, 2, 1, 0, 0, 1, 1}, .48, 21, .72},
	appNative: {.11, 42, 1.5, .28, .0011, [exposures]float64{.012, .026, .002, .008, .095}, .22, .8, 0, .82, .04, .08, .50, 7, random,
		[categories]float64{3, 3, 2, 1, 1, 0, 2, 1}, .30, 22, .95},
	box: {.08, 85, 1.6, .10, .0015, [exposures]float64{.015, .030, .009, .002, .004}, .08, .7, 0, .10, .10, .04, .46, 35, even,
		[categories]float64{0, 0, 1, 2, 2, 6, 1, 1}, .55, 8, .95},
	gifter: {.11, 62, 1.2, .22, .0005, [exposures]float64{.020, .022, .002, .004, .002}, .03, 1.4, .2, .08, .30, .05, .57, 20, random,
		[categories]float64{1, 0, 2, 2, 2, 1, 3, 1}, .40, 17, .42},
	tryer: {.10, 110, 1.0, .80, .0040, [exposures]float64{.012, .022, .006, .006, .004}, .06, .5, -.2, .13, .03, .12, .50, 25, random,
		[categories]float64{2, 2, 2, 1, 1, 1, 1, 1}, .28, 21, .42},
}

// span is a time in which something is wrong, in days before the end's day. Every cause of leaving has an old span, to
// learn from, and a recent one, to act on.
type span struct{ back, days int }

const (
	firstRise  = 235 // clothes, shoes and coffee become dearer by 9 %
	secondRise = 110 // and by 7 %
)

var (
	badRelease = span{205, 16} // app 3.4.0 crashes on Android
	appOutage  = span{38, 5}   // checkout fails in the app
	strike     = span{200, 9}  // of the carriers
	slump      = span{48, 24}  // of the carrier in the south
	shortage   = span{60, 40}  // of edge sizes
	textTotals = span{12, 1}   // the web sends "total" as text, from 9 to 16 o'clock
	wrongCase  = span{285, 21} // the app on iOS sends "Product viewed"

	// memories of the price rises: days on which a visit shows that things cost more than they did
	memories = [2]span{{firstRise, 150}, {secondRise, 150}}
)

func (s span) has(day int) bool { return day >= History-s.back && day < History-s.back+s.days }

// dearer says whether a visit on the day reminds of a price rise.
func dearer(day int) bool { return memories[0].has(day) || memories[1].has(day) }
