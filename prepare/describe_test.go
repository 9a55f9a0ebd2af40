package prepare_test

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"kith/event"
)

// described is what an event says, by field; fields that say nothing are left out.
type described map[string]string

func describe(e *event.Event) described {
	d := described{}
	v := reflect.ValueOf(*e)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !v.Field(i).IsZero() {
			d[name] = describeField(name, v.Field(i).Interface())
		}
	}
	return d
}

func describeField(name string, v any) string {
	switch v := v.(type) {
	case event.Text:
		return string(v)
	case event.Money:
		return describeMoney(v.Units)
	case event.Number:
		return strconv.FormatFloat(v.Float, 'g', -1, 64)
	case *event.Agent:
		return fmt.Sprintf("%s %d on %s %s, %s, bot %v", v.Browser, v.BrowserVersion, v.OS, v.OSVersion, v.Device, v.Bot)
	case int64:
		if name == "Anchor" || name == "Person" {
			return fmt.Sprint(v)
		}
		return describeTime(v)
	}
	return fmt.Sprint(v)
}

func describeTime(us int64) string {
	return time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.000000Z")
}

func describeMoney(units int64) string {
	sign := ""
	if units < 0 {
		sign, units = "-", -units
	}
	return fmt.Sprintf("%s%d.%04d", sign, units/10000, units%10000)
}
