package serve

import (
	"context"

	"kith/govern"
)

type (
	userNew struct {
		Body struct {
			Email    string `json:"email" maxLength:"254"`
			Password string `json:"password" doc:"At least 10 characters."`
			Role     string `json:"role" enum:"owner,analyst,viewer,service,ingest"`
		}
	}
	passwordNew struct {
		ID   int64 `path:"id"`
		Body struct {
			Password string `json:"password" doc:"At least 10 characters."`
		}
	}
	userList struct {
		Users []govern.Account `json:"users"`
	}
)

// users are the routes of people.
func (a *API) users() {
	route(a, endpoint{id: "list-users", method: "GET", path: "/users", action: govern.ManageUsers, summary: "Lists the users."},
		func(ctx context.Context, _ visit, _ *struct{}) (userList, error) {
			all, err := a.o.Policy.Users(ctx)
			return userList{all}, err
		})
	route(a, endpoint{id: "create-user", method: "POST", path: "/users", action: govern.ManageUsers, status: 201, summary: "Adds a user."},
		func(ctx context.Context, _ visit, in *userNew) (govern.Account, error) {
			return a.o.Policy.CreateUser(ctx, in.Body.Email, in.Body.Password, in.Body.Role)
		})
	route(a, endpoint{id: "set-password", method: "POST", path: "/users/{id}/password", action: govern.ManageUsers,
		summary: "Gives a user another password and ends their sessions."},
		func(ctx context.Context, _ visit, in *passwordNew) (nothing, error) {
			return nothing{}, a.o.Policy.SetPassword(ctx, in.ID, in.Body.Password)
		})
	route(a, endpoint{id: "delete-user", method: "DELETE", path: "/users/{id}", action: govern.ManageUsers,
		summary: "Removes a user and ends their sessions."},
		func(ctx context.Context, _ visit, in *numbered) (nothing, error) {
			return nothing{}, a.o.Policy.DeleteUser(ctx, in.ID)
		})
}
