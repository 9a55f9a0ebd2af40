package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"kith/event"
	"kith/govern"
)

type userCommand struct {
	Create userCreate `cmd:"" help:"Add a user; the password is read from KITH_USER_PASSWORD or from a line of standard input."`
	List   userList   `cmd:"" help:"List the users."`
}

type userCreate struct {
	Email string `arg:"" help:"Their e-mail address."`
	Role  string `default:"analyst" enum:"owner,analyst,viewer" help:"owner, analyst or viewer."`
}

// Run adds the user.
func (u *userCreate) Run(ctx context.Context, t *target, o *output) error {
	password := os.Getenv("KITH_USER_PASSWORD")
	if password == "" {
		fmt.Fprint(o.err, "password: ")
		if _, err := fmt.Fscanln(os.Stdin, &password); err != nil {
			return event.Errorf(event.Usage, "no password was given")
		}
	}
	return t.with(ctx, func(c *client) error {
		in := map[string]string{"email": u.Email, "role": u.Role, "password": strings.TrimSpace(password)}
		return c.call(ctx, "POST", "/api/v1/users", in, nil)
	})
}

type userList struct {
	formatFlag
}

// Run lists them.
func (u *userList) Run(ctx context.Context, t *target, o *output) error {
	return t.with(ctx, func(c *client) error {
		var list struct {
			Users []govern.Account `json:"users"`
		}
		if err := c.call(ctx, "GET", "/api/v1/users", nil, &list); err != nil {
			return err
		}
		rows := newTable("id", "e-mail", "role")
		for _, a := range list.Users {
			rows.add(fmt.Sprint(a.ID), a.Email, a.Role)
		}
		return rows.print(o.out, u.Format)
	})
}
