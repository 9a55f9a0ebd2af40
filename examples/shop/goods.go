package shop

import "slices"

const (
	categories  = 8
	perCategory = 48
	clothing    = 0
	shoes       = 1
	coffee      = 5
)

type category struct {
	name, slug string
	price      float64 // typical, EUR
}

var shelves = [categories]category{
	{"Clothing", "clothing", 31}, {"Shoes", "shoes", 62}, {"Accessories", "accessories", 15}, {"Home", "home", 24},
	{"Kitchen", "kitchen", 19}, {"Coffee", "coffee", 10}, {"Gifts", "gifts", 18}, {"Outdoor", "outdoor", 46},
}

var (
	sizes   = [...]string{"XS", "S", "M", "L", "XL", "XXL"}
	missing = [...]float64{.22, .05, .04, .05, .10, .24} // how often a size is out of stock
)

// product number n is of category n/perCategory; in a category they become dearer.
type product struct{ cents int32 }

func makeProducts(seed uint64) (all []product) {
	r := keyed(seed, forProducts, 0, 0)
	for _, c := range shelves {
		row := make([]product, perCategory)
		for i := range row {
			row[i].cents = int32(c.price*exp(.45*r.normal()))*100 + 90
		}
		slices.SortFunc(row, func(a, b product) int { return int(a.cents - b.cents) })
		all = append(all, row...)
	}
	return all
}

// price of a product on a day: two rises lie in the time.
func (w *World) price(product int32, day int) int32 {
	cents := w.products[product].cents
	switch product / perCategory {
	case clothing, shoes, coffee:
		if day >= History-secondRise {
			return cents*11663/10000/100*100 + 90
		} else if day >= History-firstRise {
			return cents*109/100/100*100 + 90
		}
	}
	return cents
}

func boxPrice(day int) int32 {
	switch {
	case day >= History-secondRise:
		return 2990
	case day >= History-firstRise:
		return 2790
	}
	return 2490
}

// choose a product as the person would.
func (p *person) choose(r *draws) int32 {
	c := int(p.likes)
	if u := r.unit(); u > .85 {
		c = r.below(categories)
	} else if u > .55 {
		c = int(p.likesToo)
	}
	return int32(c*perCategory + int((perCategory-.01)*pow(r.unit(), exp(-float64(p.level)))))
}

type item struct {
	product         int32
	quantity, cents int32
}

// basket is what an order holds. It follows from the order alone, so it is not kept but made again to be written.
type basket struct {
	items                     []item
	discount, shipping, total int32 // cents
	coupon                    string
}

func (w *World) basket(number int, p *person, order uint32, day int, buf []item) (b basket) {
	r := keyed(w.seed, forBasket, uint64(number), uint64(order))
	b.items = buf[:0]
	sum := int32(0)
	for range 1 + r.poisson(traitsOf[p.kind].items) {
		quantity := int32(1)
		if r.chance(.10) {
			quantity += int32(1 + r.below(2))
		}
		product := p.choose(&r)
		one := item{product, quantity, w.price(product, day)}
		b.items = append(b.items, one)
		sum += quantity * one.cents
	}
	if w.calendar.hunt(day, 1.5) || p.kind == bargain && r.chance(.45) || r.chance(.05) {
		b.discount, b.coupon = sum*15/100, "SAVE15"
	}
	if sum-b.discount < 4500 {
		b.shipping = 490
	}
	b.total = sum - b.discount + b.shipping
	return b
}
