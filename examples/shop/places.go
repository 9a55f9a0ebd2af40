package shop

type country struct {
	code, locale, zone, currency string
	rate                         float64 // of the currency that is shown, for one EUR
	share                        float64
	behind                       int8 // hours against Berlin
	cities                       uint8
}

// countries that Quillfern sends to. Of the German cities 2, 5 and 6 lie in the south, where one carrier is bad.
var countries = [...]country{
	{"DE", "de-DE", "Europe/Berlin", "EUR", 1, .56, 0, 8},
	{"AT", "de-AT", "Europe/Vienna", "EUR", 1, .10, 0, 3},
	{"CH", "de-CH", "Europe/Zurich", "CHF", .95, .07, 0, 3},
	{"FR", "fr-FR", "Europe/Paris", "EUR", 1, .08, 0, 3},
	{"NL", "nl-NL", "Europe/Amsterdam", "EUR", 1, .07, 0, 2},
	{"SE", "sv-SE", "Europe/Stockholm", "SEK", 11.3, .04, 0, 2},
	{"GB", "en-GB", "Europe/London", "GBP", .85, .04, 1, 2},
	{"FI", "fi-FI", "Europe/Helsinki", "EUR", 1, .02, -1, 2},
	{"PT", "pt-PT", "Europe/Lisbon", "EUR", 1, .02, 1, 2},
}

func (p *person) south() bool {
	return p.country == 0 && (p.city == 2 || p.city == 5 || p.city == 6)
}

// firstNames of women and of men.
var firstNames = [2][]string{
	{"Anna", "Mira", "Lea", "Clara", "Ida", "Nora", "Jana", "Eva", "Lena", "Sofia", "Marta", "Ines", "Julia", "Karin", "Laura", "Emma", "Hanna",
		"Maja", "Olga", "Paula", "Rosa", "Sara", "Tina", "Vera", "Alice", "Britta", "Carla", "Dora", "Elsa", "Frida"},
	{"Jonas", "Emil", "Paul", "Max", "Felix", "Anton", "Karl", "Leo", "Oskar", "Peter", "Martin", "Simon", "Tom", "Uwe", "Viktor", "Willem", "Adam",
		"Bruno", "Carl", "David", "Erik", "Finn", "Georg", "Hans", "Ivan", "Jakob", "Klaus", "Lars", "Milan", "Nils"},
}

var surnames = []string{"Berger", "Lindqvist", "Moreau", "Weber", "Novak", "Silva", "Jansen", "Keller", "Fischer", "Laine", "Marsh", "Dubois", "Hofer",
	"Brandt", "Vogel", "Winter", "Sommer", "Bakker", "Visser", "Nilsson", "Berg", "Holm", "Costa", "Pinto", "Walker", "Turner", "Baker", "Cook",
	"Fuchs", "Huber", "Gruber", "Steiner", "Maier", "Koch", "Richter", "Klein", "Wolf", "Neumann", "Schwarz", "Zimmer", "Lang", "Krause", "Frank",
	"Roth", "Baum", "Stein", "Busch", "Ernst", "Graf", "Haas", "Kuhn", "Lorenz", "Bernard", "Petit", "Durand", "Leroy", "Roux", "Fontaine",
	"Virtanen", "Korhonen", "Ferreira", "Santos", "Hill", "Green", "Wood", "Ward", "Hall", "Young", "King", "Wright", "Ekman", "Strand", "Dahl"}

var mailHosts = []string{"example.com", "example.org", "example.net", "post.test", "inbox.test", "mail.test"}

// nobodies are addresses that people type to be left alone.
var nobodies = []string{"test@example.com", "none@none.test", "a@a.test", "noemail@shop.test"}
