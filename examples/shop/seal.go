package shop

import "strconv"

const (
	rounds = 4
	half   = 1<<30 - 1
)

// seal makes of a number of 60 bits another one that looks like chance, by a keyed Feistel network.
func (w *World) seal(x uint64) uint64 {
	l, r := x>>30&half, x&half
	for _, key := range w.keys {
		l, r = r, l^scramble(key^r)&half
	}
	return l<<30 | r
}

// unseal undoes it.
func (w *World) unseal(x uint64) uint64 {
	l, r := x>>30&half, x&half
	for i := range w.keys {
		l, r = r^scramble(w.keys[rounds-1-i]^l)&half, l
	}
	return l<<30 | r
}

const hexDigits = "0123456789abcdef"

// appendUUID writes a version 4 UUID whose last 60 bits are sealed.
func (w *World) appendUUID(b []byte, payload uint64) []byte {
	low := w.seal(payload)
	high := scramble(low ^ w.seed)
	for i := range 18 {
		switch i {
		case 8, 13:
			b = append(b, '-')
		case 14:
			b = append(b, '4')
		default:
			b = append(b, hexDigits[high&15])
			high >>= 3
		}
	}
	b = append(b, '-', "89ab"[high&3])
	for i := 14; i >= 0; i-- {
		b = append(b, hexDigits[low>>(4*i)&15])
		if i == 12 {
			b = append(b, '-')
		}
	}
	return b
}

// open returns what is sealed in a UUID.
func (w *World) open(id string) (payload uint64, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '4' || id[18] != '-' || id[23] != '-' {
		return 0, false
	}
	x, err := strconv.ParseUint(id[20:23]+id[24:], 16, 64)
	return w.unseal(x), err == nil
}

// message is what a message id seals: who sent it, and which of their events it is.
func message(number int, nth uint32) uint64 { return uint64(number)<<28 | uint64(nth)&(1<<28-1) }

// MessageOwner says who truly sent the message: the number of a customer, or, from the number of customers on, of a
// stranger, a bot or a broken sender; and which of their messages it is.
func (w *World) MessageOwner(id string) (number, nth int, ok bool) {
	x, ok := w.open(id)
	return int(x >> 28), int(x & (1<<28 - 1)), ok
}

// Device is what an anonymous id stands for.
type Device uint8

// Devices.
const (
	Browser Device = iota // of one person
	Phone                 // the app's, of one person
	Tablet                // of a household, used by all of it
	Kiosk                 // in a shop, used by many
	Agent                 // of a help desk, which orders for customers
	Machine               // a bot, or a sender that is broken
)

// device is what an anonymous id seals.
func device(class Device, owner, generation int) uint64 {
	return uint64(class)<<55 | uint64(owner)<<16 | uint64(generation)&0xffff
}

// DeviceOwner says what the anonymous id stands for, and whose it is: a person's number, or the number of the first of
// the household, or that of the kiosk or agent.
func (w *World) DeviceOwner(id string) (class Device, owner int, ok bool) {
	x, ok := w.open(id)
	return Device(x >> 55), int(x >> 16 & (1<<39 - 1)), ok
}

func (w *World) appendOrder(b []byte, number int, nth uint32) []byte {
	return strconv.AppendUint(append(b, 'Q'), w.seal(uint64(number)<<16|uint64(nth))|1<<60, 36)
}

// OrderOwner says whose order it is, and which one of theirs.
func (w *World) OrderOwner(id string) (number, nth int, ok bool) {
	if len(id) < 2 || id[0] != 'Q' {
		return 0, 0, false
	}
	x, err := strconv.ParseUint(id[1:], 36, 64)
	x = w.unseal(x &^ (1 << 60))
	return int(x >> 16), int(x & 0xffff), err == nil
}

// affine makes numbers that look random and can be computed back: n*7368787 + c modulo a power of ten.
type affine struct{ modulus, inverse, offset uint64 }

const multiplier = 7368787

func newAffine(seed uint64, customers int) affine {
	a := affine{modulus: 100_000, offset: seed % 100_000}
	for a.modulus < 4*uint64(customers) {
		a.modulus *= 10
	}
	a.inverse = 1 // Euler: the inverse is multiplier^(phi-1), and phi of 10^k is 4*10^(k-1)
	for power, e := uint64(multiplier)%a.modulus, a.modulus/5*2-1; e > 0; e >>= 1 {
		if e&1 == 1 {
			a.inverse = a.inverse * power % a.modulus
		}
		power = power * power % a.modulus
	}
	return a
}

func (a affine) of(n int, salt uint64) int {
	return int((uint64(n)*multiplier + 1234577*salt + a.offset) % a.modulus)
}

func (a affine) back(n int, salt uint64) int {
	x := uint64(n)%a.modulus + a.modulus - (1234577*salt+a.offset)%a.modulus
	return int(x % a.modulus * a.inverse % a.modulus)
}

// salts of the numbers in a customer's identifiers.
const (
	saltUser  = 7
	saltMail  = 11
	saltPhone = 13
	saltHome  = 17
)

// UserOwner says whose user id it is; a second account of theirs ends with b.
func (w *World) UserOwner(id string) (number int, ok bool) {
	if len(id) < 2 || id[0] != 'u' {
		return 0, false
	}
	return w.ownerOf(id[1:], saltUser)
}

// MailOwner says whose mailbox an e-mail address is.
func (w *World) MailOwner(address string) (number int, ok bool) {
	for i := range len(address) {
		if c := address[i]; c >= '0' && c <= '9' {
			return w.ownerOf(address[i:], saltMail)
		}
	}
	return 0, false
}

func (w *World) ownerOf(digits string, salt uint64) (number int, ok bool) {
	n, length := 0, 0
	for length < len(digits) && length < 12 && digits[length] >= '0' && digits[length] <= '9' {
		n = n*10 + int(digits[length]-'0')
		length++
	}
	number = w.numbers.back(n, salt)
	return number, length > 0 && number < w.customers
}
