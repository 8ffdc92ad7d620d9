//! Public test vectors, whose origin `vectors/README.md` names, and properties beside them.

#[cfg(test)]
mod checkpoint;
#[cfg(test)]
mod load;
#[cfg(test)]
mod merkle;
#[cfg(test)]
mod note;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod tile;
#[cfg(test)]
mod witness;
