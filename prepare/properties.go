package prepare

import "kith/event"

// properties takes the members that have a column; the whole text is kept beside them.
func (p *Preparer) properties(e *event.Event) {
	c, page := &p.c, &p.l.propertiesPage
	e.Revenue, e.Total, e.Price, e.Value, e.Quantity = event.Money{}, event.Money{}, event.Money{}, event.Money{}, event.Number{}
	e.Currency, e.ProductID, e.OrderID, e.Category, e.Coupon = nil, nil, nil, nil, nil
	*page = pageMembers{}
	from := c.Pos()
	for c.Enter(); c.Member(); {
		switch string(c.Key()) {
		case "revenue":
			p.money(&e.Revenue, colRevenue)
		case "total":
			p.money(&e.Total, colTotal)
		case "price":
			p.money(&e.Price, colPrice)
		case "value":
			p.money(&e.Value, colValue)
		case "quantity":
			p.number(&e.Quantity, colQuantity)
		case "currency":
			p.text(&e.Currency, colCurrency)
		case "product_id":
			p.text(&e.ProductID, colProductID)
		case "order_id":
			p.text(&e.OrderID, colOrderID)
		case "category":
			p.text(&e.Category, colCategory)
		case "coupon":
			p.text(&e.Coupon, colCoupon)
		case "url":
			page.url = c.Skip()
		case "path":
			page.path = c.Skip()
		case "search":
			page.search = c.Skip()
		case "title":
			page.title = c.Skip()
		case "referrer":
			page.referrer = c.Skip()
		default:
			c.Skip()
		}
	}
	e.Properties = c.Since(from)
}
