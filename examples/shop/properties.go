package shop

// properties are what a track, page or screen call says, after the specification of ecommerce events.
func (x *writer) properties() {
	e := x.e
	switch e.what {
	case appOpened:
		x.put(`"from_background":`)
		x.boolean(e.nth%3 == 0)
	case listViewed:
		c := shelves[x.p.likes]
		x.put(`"list_id":"`, c.slug, `","category":"`, c.name, `"`)
	case searched:
		sort := "relevance"
		if e.marks&cheapFirst != 0 {
			sort = "price_asc"
		}
		x.put(`"query":"`, shelves[x.p.likes].slug, `","sort":"`, sort, `"`)
	case viewed, added:
		x.product(e.product, x.w.price(e.product, int(e.day)))
		x.put(`,"currency":"EUR"`)
		if c := e.product / perCategory; c == clothing || c == shoes {
			x.put(`,"variant":"`, sizes[x.p.size], `","in_stock":`)
			x.boolean(e.marks&notInStock == 0)
		}
		if e.what == added {
			x.put(`,"quantity":1`)
		}
	case checkedOut:
		x.put(`"value":`)
		x.cents(e.cents)
		x.put(`,"currency":"EUR"`)
	case checkoutFailed:
		x.put(`"step":"payment","error_code":"PAY_503","error":"payment service not available"`)
	case crashed:
		x.put(`"reason":"null reference in image loader","fatal":true`)
	case pushed, pushTapped:
		x.put(`"campaign":"weekly"`)
	case ordered:
		x.order()
	case refunded:
		x.put(`"order_id":"`)
		x.text = x.w.appendOrder(x.text, x.n, e.order)
		x.put(`","total":`)
		x.cents(e.cents)
		x.put(`,"currency":"EUR"`)
	case boxStarted, boxRenewed, boxSkipped, boxCancelled:
		x.put(`"plan":"coffee_box","price":`)
		x.cents(e.cents)
		x.put(`,"currency":"EUR"`)
	}
}

func (x *writer) product(product, cents int32) {
	c := shelves[product/perCategory]
	x.put(`"product_id":"SKU-`)
	x.integer(10000 + 7*int(product))
	x.put(`","name":"`, c.name, ` no. `)
	x.integer(int(product%perCategory) + 1)
	x.put(`","category":"`, c.name, `","price":`)
	x.cents(cents)
}

func (x *writer) order() {
	e := x.e
	b := x.w.basket(x.n, x.p, e.order, int(e.day), x.pieces[:])
	x.put(`"order_id":"`)
	x.text = x.w.appendOrder(x.text, x.n, e.order)
	x.put(`","total":`)
	if e.marks&totalAsText != 0 {
		x.put(`"`)
		x.cents(e.cents)
		x.text[len(x.text)-3] = ','
		x.put(`"`)
	} else {
		x.cents(e.cents)
	}
	x.put(`,"shipping":`)
	x.cents(b.shipping)
	x.put(`,"tax":`)
	x.cents(b.total * 19 / 119)
	x.put(`,"discount":`)
	x.cents(b.discount)
	if b.coupon != "" {
		x.put(`,"coupon":"`, b.coupon, `"`)
	}
	x.put(`,"currency":"EUR"`)
	if c := countries[x.p.country]; c.currency != "EUR" {
		x.put(`,"shown_currency":"`, c.currency, `","shown_total":`)
		x.cents(int32(float64(b.total) * c.rate))
	}
	x.put(`,"products":[`)
	for i, one := range b.items {
		if i > 0 {
			x.put(`,`)
		}
		x.put(`{`)
		x.product(one.product, one.cents)
		x.put(`,"quantity":`)
		x.integer(int(one.quantity))
		x.put(`}`)
	}
	x.put(`]`)
}
