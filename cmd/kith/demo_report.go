package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"kith/app"
	"kith/serve"
)

// demoReport shows what can be asked of the demo, and the answers.
type demoReport struct {
	client *client
	out    io.Writer
	folder string
	mark   *demoMark
}

// question is one that the demo answers.
type question struct{ title, sql string }

func (r *demoReport) questions() []question {
	day := func(back int) string { return r.mark.End.AddDate(0, 0, -back).Format("2006-01-02") }
	return []question{
		{"How did the last six months go?", `
  SELECT strftime(ts AT TIME ZONE 'Europe/Berlin', '%Y-%m') AS month, count(*) AS orders,
         round(sum(total), 2) AS revenue, round(avg(total), 2) AS average, count(*) - count(total) AS no_total
  FROM clean.events WHERE event = 'Order Completed'
  GROUP BY month ORDER BY month DESC LIMIT 6`},
		{"How many visitors of the last 30 days went how far?", `
  SELECT event AS step, count(DISTINCT anonymous_id) AS visitors,
         (100 * visitors / max(visitors) OVER ())::DECIMAL(4, 1) AS percent
  FROM clean.events
  WHERE event IN ('Product Viewed', 'Product Added', 'Checkout Started', 'Order Completed')
    AND ts >= '` + day(30) + `' AND bot IS NOT TRUE
  GROUP BY step ORDER BY visitors DESC`},
		{"Where did the orders of the last 90 days come from?", `
  SELECT coalesce(utm_source, '(direct)') AS campaign, count(*) AS orders, round(sum(total), 2) AS revenue,
         count(*) FILTER (source = 'app') AS in_app,
         count(*) FILTER (source = 'web' AND device = 'phone') AS on_phone,
         count(*) FILTER (device = 'desktop') AS on_desktop
  FROM clean.events WHERE event = 'Order Completed' AND ts >= '` + day(90) + `'
  GROUP BY campaign ORDER BY orders DESC`},
	}
}

const quarantineByReason = `SELECT reason, count(*) AS events, any_value(message) AS message
  FROM clean.quarantine GROUP BY reason ORDER BY events DESC, reason`

func (r *demoReport) print(ctx context.Context) error {
	for _, q := range r.questions() {
		fmt.Fprintf(r.out, "\n%s\n\n%s sql --data %s \"%s\"\n\n", q.title, os.Args[0], shellWord(r.folder), q.sql)
		if err := r.answer(ctx, q.sql); err != nil {
			return err
		}
	}
	return r.leftOut(ctx)
}

// answer prints the answer to one question. It sees all that was stored before it was asked.
func (r *demoReport) answer(ctx context.Context, sql string) error {
	resp, err := (&sqlCommand{Format: "table"}).ask(ctx, r.client, sql)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return printAnswer(r.out, io.Discard, resp)
}

// leftOut says what did not become a row, and why.
func (r *demoReport) leftOut(ctx context.Context) error {
	var s serve.Status
	if err := r.client.call(ctx, "GET", "/api/v1/status", nil, &s); err != nil {
		return err
	}
	resends := s.Received - s.Rows - s.Quarantined - s.Lag
	fmt.Fprintf(r.out, "\nOf %s events received %s became rows; %s were sent twice and are there once; %s could not be taken:\n\n",
		thousands(s.Received), thousands(s.Rows), thousands(resends), thousands(s.Quarantined))
	return r.answer(ctx, quarantineByReason)
}

// welcome says where it is served, last, so that it stays on the screen.
func (r *demoReport) welcome(a *app.App, url string) {
	m := r.mark
	fmt.Fprintf(r.out, "\nQuillfern is made up: nobody in it exists. %s customers, %d days until %s, seed %d.\n",
		thousands(m.Customers), m.Days, m.End.Format("2 January 2006"), m.Seed)
	if m.resume {
		fmt.Fprintf(r.out, "It is the one that %s holds; for another one, name another folder with --data.\n", r.folder)
	}
	if link, needed := a.SetupURL(url); needed {
		fmt.Fprintf(r.out, "\nNobody can log in yet; make the first administrator at %s\n", link)
	} else {
		fmt.Fprintf(r.out, "\n  Open      %s\n  Log in    %s\n", url, m.Email)
		if m.Password != "" {
			fmt.Fprintf(r.out, "  Password  %s\n", m.Password)
		}
	}
	fmt.Fprintf(r.out, "\nCtrl-C stops it; %s demo --data %s serves it again.\n", os.Args[0], shellWord(r.folder))
}

// shellWord writes a path so that a shell takes it as one word.
func shellWord(path string) string {
	if strings.ContainsFunc(path, func(c rune) bool {
		return !strings.ContainsRune("/._-+,=@:", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c)
	}) {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// thousands writes a number for people: 1,234,567.
func thousands[N int | int64](n N) string {
	text := strconv.FormatInt(int64(n), 10)
	var b strings.Builder
	for i, c := range text {
		if i > 0 && (len(text)-i)%3 == 0 && text[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
