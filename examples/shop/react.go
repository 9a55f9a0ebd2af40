package shop

// Action is something that the shop does about one customer.
type Action uint8

// Actions.
const (
	NoAction Action = iota
	Discount
	FreeShipping
	ServiceRecovery
	RestockNote
	BoxPause
	Placebo // changes nothing
	actions
)

// actionDays is how long an action works.
const actionDays = 28

// answer is what an action does to a kind: it multiplies the hazards and the rate of orders, and returns those who
// have left with a chance.
type answer struct{ hazard, orders, returns float64 }

var indifferent = answer{1, 1, 0}

// answers by action and kind; a missing one is indifferent.
var answers = [actions][kinds]answer{
	Discount: {devoted: {1, 1.04, .04}, regular: {.9, 1.30, .10}, bargain: {.6, 1.90, .22}, fitter: {.95, 1.25, .06}, appNative: {.95, 1.2, .06},
		box: {5, .85, .01}, gifter: {3, .62, 0}, tryer: {.8, 1.5, .07}},
	FreeShipping: {devoted: {1, 1.03, .01}, regular: {.85, 1.22, .05}, bargain: {.9, 1.25, .06}, fitter: {.9, 1.20, .05}, appNative: {1, 1.05, .02},
		box: {1.2, 1, .01}, gifter: {1, 1.10, .02}, tryer: {.9, 1.25, .03}},
	ServiceRecovery: {devoted: {.5, 1.10, .25}, regular: {.6, 1.10, .18}, bargain: {.95, 1, .03}, fitter: {.9, 1.02, .05}, appNative: {.9, 1, .05},
		box: {1.1, 1, .04}, gifter: {1, .97, .01}, tryer: {1, .95, .01}},
	RestockNote: {devoted: {1, 1.1, .03}, regular: {1, 1.05, .02}, bargain: {1, 1.02, .01}, fitter: {.6, 1.45, .20}, appNative: {1, 1.05, .03},
		box: {1.2, 1, 0}, gifter: {1, 1, 0}, tryer: {1, 1, .01}},
	BoxPause: {box: {.35, 1.05, .15}},
}

// cures are the shares of the exposures that an action leaves.
var cures = [actions][exposures]float64{
	NoAction: {1, 1, 1, 1, 1}, Placebo: {1, 1, 1, 1, 1}, Discount: {.9, 1, .35, 1, 1}, FreeShipping: {.8, 1, .9, 1, 1},
	ServiceRecovery: {.25, .15, 1, 1, .5}, RestockNote: {1, 1, 1, .2, 1}, BoxPause: {1, 1, .7, 1, 1},
}

// answer is how the person answers, on the day, to the last action.
func (p *person) answer(day int) answer {
	if p.action == NoAction || day-int(p.acted) >= actionDays {
		return indifferent
	}
	if a := answers[p.action][p.kind]; a != (answer{}) {
		return a
	}
	return indifferent
}

// Treatment is an action taken about one customer, in the morning of a day counted from the start.
type Treatment struct {
	Customer, Day int
	Action        Action
}

// react applies a treatment. What is under way already is not changed.
func (l *lives) react(t Treatment) {
	n, a := t.Customer, t.Action
	p := &l.people[n]
	p.action, p.acted = a, int16(l.day)
	for i := range p.hurt {
		p.hurt[i] = float32(float64(p.hurt[i]) * cures[a][i])
	}
	r := keyed(l.w.seed, forReaction, uint64(n), uint64(l.day))
	if p.state == left && r.chance(answers[a][p.kind].returns) {
		p.state = active
		p.since = int16(l.day) - int16(min(60, .5/p.rate))
	}
	if a == BoxPause && p.box == boxRuns {
		p.boxNext += boxDays
	}
}
