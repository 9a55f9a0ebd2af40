package query

import (
	"strconv"
	"strings"

	"kith/event"
)

// cutAsOf finds AS OF SEQ n and AS OF SNAPSHOT n, which stand after a table's name or at the end of a statement and
// hold for all of it. It returns the text with blanks in their place, so that every other byte stays where it is,
// and what they say. DuckDB parses, and runs, exactly the text that is returned.
func cutAsOf(text string) (string, At, error) {
	var found At
	var blanked []byte
	s := scanner{text: text}
	for s.next() {
		if s.kind != tokenWord || !strings.EqualFold(s.token(), "as") {
			continue
		}
		at, end, err := readAsOf(s)
		if err != nil {
			return "", At{}, err
		}
		if end == 0 {
			continue
		}
		if !found.isZero() && found != at {
			e := event.Errorf(event.Usage, "a query reads one state of the lake; there is another AS OF before this one")
			e.Place = placeAt(text, s.from)
			return "", At{}, e
		}
		found = at
		if blanked == nil {
			blanked = []byte(text)
		}
		for i := s.from; i < end; i++ {
			if blanked[i] != '\n' {
				blanked[i] = ' '
			}
		}
		s.to = end
	}
	if blanked == nil {
		return text, found, nil
	}
	return string(blanked), found, nil
}

// readAsOf reads what follows AS. An end of 0 says that it is some other AS: OF may be anyone's alias.
func readAsOf(s scanner) (at At, end int, err error) {
	if !s.next() || s.kind != tokenWord || !strings.EqualFold(s.token(), "of") || !s.next() || s.kind != tokenWord {
		return At{}, 0, nil
	}
	unit := strings.ToLower(s.token())
	if unit != "seq" && unit != "snapshot" || !s.next() || s.kind != tokenNumber {
		return At{}, 0, nil
	}
	n, parseErr := strconv.ParseInt(s.token(), 10, 64)
	if parseErr != nil || n < 1 {
		e := event.Errorf(event.Usage, "AS OF %s takes a whole number from 1", strings.ToUpper(unit))
		e.Place = placeAt(s.text, s.from)
		return At{}, 0, e
	}
	if unit == "seq" {
		return At{Seq: event.Seq(n)}, s.to, nil
	}
	return At{Snapshot: n}, s.to, nil
}

// agree joins what the text says with what the request says.
func agree(text, request At) (At, error) {
	if request.Seq != 0 && request.Snapshot != 0 {
		return At{}, event.Errorf(event.Usage, "as_of_seq and as_of_snapshot are given; a query reads one state of the lake")
	}
	if request.Seq < 0 || request.Snapshot < 0 {
		return At{}, event.Errorf(event.Usage, "as_of_seq and as_of_snapshot are whole numbers from 1")
	}
	if !text.isZero() && !request.isZero() && text != request {
		return At{}, event.Errorf(event.Usage, "the query's AS OF is not the one that the request gives")
	}
	if text.isZero() {
		return request, nil
	}
	return text, nil
}
