package shop

import "math"

// draws is a stream of pseudo-random numbers (SplitMix64). It is eight bytes, so that everybody can have one of their
// own for every day.
type draws uint64

// purpose keeps streams apart that are keyed by the same numbers.
type purpose uint64

const (
	forBirth purpose = iota + 1
	forDay
	forBasket
	forName
	forSurname
	forStranger
	forStrangers
	forBots
	forBroken
	forProducts
	forHousehold
	forAgent
	forAddress
	forReaction
)

func scramble(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

const golden = 0x9e3779b97f4a7c15

func keyed(seed uint64, what purpose, a, b uint64) draws {
	return draws(scramble(seed ^ scramble(a*golden+scramble(b+uint64(what)*0x632be59bd9b4e019))))
}

func (r *draws) next() uint64 {
	*r += golden
	return scramble(uint64(*r))
}

// unit is in [0, 1). Scaling by a power of two is exact, so it may be fused with a sum.
func (r *draws) unit() float64 { return float64(r.next()>>11) / (1 << 53) }

// below is in [0, n).
func (r *draws) below(n int) int { return int((r.next() >> 32) * uint64(n) >> 32) }

func (r *draws) chance(p float64) bool { return r.unit() < p }

func (r *draws) exponential() float64 { return -log(1 - r.unit()) }

func (r *draws) normal() float64 {
	return math.Sqrt(2*r.exponential()) * round(math.Cos(2*math.Pi*r.unit()))
}

// around is normal with a mean and a spread, kept in bounds.
func (r *draws) around(mean, spread, least, most float64) float64 {
	return math.Max(least, math.Min(most, mean+float64(spread*r.normal())))
}

// gamma has mean k and variance k (Marsaglia and Tsang).
func (r *draws) gamma(k float64) float64 {
	if k < 1 {
		return r.gamma(k+1) * pow(1-r.unit(), 1/k)
	}
	d := k - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.normal()
		v := 1 + float64(c*x)
		if v <= 0 {
			continue
		}
		v = v * v * v
		if log(1-r.unit()) < float64(.5*x*x)+d-float64(d*v)+float64(d*log(v)) {
			return d * v
		}
	}
}

func (r *draws) beta(a, b float64) float64 {
	x := r.gamma(a)
	return x / (x + r.gamma(b))
}

func (r *draws) poisson(mean float64) (n int) {
	const step = 16 // above, the limit would be lost in rounding
	for ; mean > step; mean -= step {
		n += r.poisson(step)
	}
	limit, p := exp(-mean), 1.0
	for ; ; n++ {
		if p *= r.unit(); p <= limit {
			return n
		}
	}
}

// pick chooses an index by weight.
func (r *draws) pick(weights ...float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	u := r.unit() * sum
	for i, w := range weights {
		if u < w {
			return i
		}
		u -= w
	}
	return len(weights) - 1
}

const ln2 = .6931471805599453

// round takes the last bits off a result of package math, in which machines differ.
func round(x float64) float64 {
	const grid = 1 << 36
	return math.Round(x*grid) / grid
}

func exp(x float64) float64 { return round(math.Exp(x)) }
func log(x float64) float64 { return round(math.Log(x)) }

func pow(x, y float64) float64 { return round(math.Pow(x, y)) }
