package event

// Code says what sort of thing went wrong. Doors translate it by this table and by nothing else.
type Code string

// The codes. One more is a change to the product's contract with every client.
const (
	Invalid         Code = "invalid"
	Usage           Code = "usage"
	Unauthenticated Code = "unauthenticated"
	Forbidden       Code = "forbidden"
	NotFound        Code = "not_found"
	NotAllowed      Code = "method_not_allowed"
	Conflict        Code = "conflict"
	TooLarge        Code = "too_large"
	TooMany         Code = "too_many_requests"
	Resource        Code = "resource_exhausted"
	TimedOut        Code = "timed_out"
	Unavailable     Code = "unavailable"
	Canceled        Code = "canceled"
	Corrupt         Code = "corrupt"
	Internal        Code = "internal"
)

// A translation is one row of the table: what the code is in HTTP, in SQL, in a shell, and whether trying the same
// again can help.
type translation struct {
	http    int
	state   string // SQLSTATE
	exit    int    // 0 ok, 1 failed, 2 wrong use
	retry   bool
	message string // shown for an error that is not an *Error
}

func (c Code) translation() translation {
	switch c {
	case Invalid:
		return translation{400, "22023", 1, false, "the request is not valid"}
	case Usage:
		return translation{400, "42601", 2, false, "this is not how it is used"}
	case Unauthenticated:
		return translation{401, "28000", 1, false, "who are you?"}
	case Forbidden:
		return translation{403, "42501", 1, false, "not allowed"}
	case NotFound:
		return translation{404, "42704", 1, false, "there is no such thing"}
	case NotAllowed:
		return translation{405, "0A000", 1, false, "this method is not allowed here"}
	case Conflict:
		return translation{409, "40001", 1, true, "it changed meanwhile"}
	case TooLarge:
		return translation{413, "54000", 1, false, "it is over a limit"}
	case TooMany:
		return translation{429, "53400", 1, true, "too many requests"}
	case Resource:
		return translation{422, "53200", 1, false, "it needs more than its limit allows"}
	case TimedOut:
		return translation{504, "57014", 1, true, "it took longer than its limit allows"}
	case Unavailable:
		return translation{503, "57P03", 1, true, "not available now"}
	case Canceled:
		return translation{499, "57014", 1, false, "canceled"}
	case Corrupt:
		return translation{500, "XX001", 1, false, "stored data is damaged"}
	}
	return translation{500, "XX000", 1, false, "an error inside Kith; the log has it"}
}

// HTTP is the status that a door answers with.
func (c Code) HTTP() int { return c.translation().http }

// SQLState is the five characters that a Postgres client expects.
func (c Code) SQLState() string { return c.translation().state }

// Exit is the exit status of a command that fails so.
func (c Code) Exit() int { return c.translation().exit }

// Retry reports whether the same request may succeed later.
func (c Code) Retry() bool { return c.translation().retry }
